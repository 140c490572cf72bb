// npm run test:unit: the tests that need no build, no engine and no browser.   npm run test:unit -- [vitest's
// arguments, file names]
import { runVitest } from './testing/vitest-run.ts'

const { ok, summary, leftOut } = await runVitest(['unit'], process.argv.slice(2), {})
for (const line of leftOut) process.stdout.write(`${line}\n`)
process.stdout.write(`${summary}\n`)
process.exitCode = ok ? 0 : 1
