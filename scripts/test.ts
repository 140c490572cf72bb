// npm test: everything this machine can run, and what it left out and why.   npm test -- [vitest's arguments, file
// names]

import { whyNoEngine } from '../test/support/container/engine.ts'
import { testImage, whyNoImage } from '../test/support/container/image.ts'
import { whyNoBrowser } from '../test/support/dashboard/browser.ts'
import { isAskedFor } from './testing/left-out.ts'
import { CONTAINER_PROJECTS, runVitest } from './testing/vitest-run.ts'

const args = process.argv.slice(2)

/**
 * Tests that not every machine can run, why this one cannot, and the variable that makes leaving them out a failure.
 */
const optional = [
  {
    kind: 'container',
    projects: CONTAINER_PROJECTS,
    why: (await whyNoEngine()) ?? (await whyNoImage()),
    required: 'HERMES_REQUIRE_DOCKER',
  },
  { kind: 'browser', projects: ['browser'], why: whyNoBrowser(), required: 'HERMES_REQUIRE_BROWSER' },
].filter(({ kind }) => isAskedFor(`test/${kind}/`, args))
const projects = [
  'unit',
  'parts',
  'process',
  ...optional.filter(({ why }) => why === undefined).flatMap((kind) => kind.projects),
]
const env = projects.includes('container') ? { HERMES_TEST_IMAGE: await testImage() } : {}

const { ok, summary, leftOut } = await runVitest(projects, args, env)
let exitCode = ok ? 0 : 1
for (const { kind, why, required } of optional) {
  if (why === undefined) continue
  process.stdout.write(`left out: the ${kind} tests, because ${why}\n`)
  if (process.env[required] !== '1') continue
  process.stdout.write(`${required}=1: leaving them out is a failure\n`)
  exitCode = 1
}
for (const line of leftOut) process.stdout.write(`${line}\n`)
process.stdout.write(`${summary}\n`)
process.exitCode = exitCode
