// npm run long -- NAME …: a test file at its whole size. CI runs the same file with smaller numbers
// (test/support/size.ts).
import { buildImage } from '../test/support/container/image.ts'
import { CONTAINER_PROJECTS, runVitest } from './testing/vitest-run.ts'

const names = process.argv.slice(2)
if (names.length === 0) {
  process.stderr.write('long: name a test file, for instance: npm run long -- hostile-volume\n')
  process.exitCode = 2
} else {
  const image = await buildImage((line) => void process.stdout.write(`${line}\n`))
  const env = { HERMES_LONG: '1', HERMES_TEST_IMAGE: image }
  // No test of a whole run has a limit of its own: what it waits for has.
  const { ok, summary } = await runVitest(
    ['unit', 'parts', 'process', ...CONTAINER_PROJECTS],
    [...names, '--testTimeout=0'],
    env,
  )
  process.stdout.write(`${summary}\n`)
  process.exitCode = ok ? 0 : 1
}
