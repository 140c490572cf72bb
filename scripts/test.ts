// npm test: everything this machine can run, and what it left out and why.   npm test -- [vitest's arguments, file names]
import { whyNoEngine } from '../test/support/engine.ts'
import { testImage, whyNoImage } from '../test/support/image.ts'
import { runVitest } from './vitest-run.ts'

const whyNoContainer = (await whyNoEngine()) ?? (await whyNoImage())
const projects = whyNoContainer === undefined ? ['unit', 'process', 'container'] : ['unit', 'process']
const env = whyNoContainer === undefined ? { HERMES_TEST_IMAGE: await testImage() } : {}

const { ok, summary } = await runVitest(projects, process.argv.slice(2), env)
let exitCode = ok ? 0 : 1
if (whyNoContainer !== undefined) {
  process.stdout.write(`left out: the container tests, because ${whyNoContainer}\n`)
  if (process.env.HERMES_REQUIRE_DOCKER === '1') {
    process.stdout.write('HERMES_REQUIRE_DOCKER=1: leaving them out is a failure\n')
    exitCode = 1
  }
}
process.stdout.write(`${summary}\n`)
process.exitCode = exitCode
