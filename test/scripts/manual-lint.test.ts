import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { manual } from '../../scripts/build/manual.ts'
import { tryRun } from '../../scripts/run.ts'
import { named, whyMissing } from '../support/tools.ts'

const dir = mkdtempSync(join(tmpdir(), 'hermes-manual-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const files = Object.entries(manual({ version: '1.2.3', builtAt: '2026-12-01T10:00:00Z' })).map(([name, text]) => {
  const file = join(dir, name)
  writeFileSync(file, text)
  return file
})
/** A control: a request that does not exist. */
const wrong = join(dir, 'wrong.1')
writeFileSync(wrong, '.TH WRONG 1 "2026-12-01"\n.SH NAME\nwrong \\- page\n.NOSUCH\n')

const whyNoGroff = whyMissing('groff')
test.skipIf(whyNoGroff !== undefined)(named('groff has no warning about any page', whyNoGroff), async () => {
  const lint = (...pages: readonly string[]) => tryRun('groff', ['-man', '-ww', '-z', '-Tutf8', ...pages])
  expect((await lint(wrong)).stderr).toContain('NOSUCH')
  expect(await lint(...files)).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

const whyNoMandoc = whyMissing('mandoc')
test.skipIf(whyNoMandoc !== undefined)(named('mandoc has no warning about any page', whyNoMandoc), async () => {
  const lint = (...pages: readonly string[]) => tryRun('mandoc', ['-T', 'lint', '-W', 'warning', ...pages])
  expect((await lint(wrong)).stdout).toContain('NOSUCH')
  expect(await lint(...files)).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

const whyNoMan = whyMissing('man', 'groff')
test.skipIf(whyNoMan !== undefined)(named('man shows options as they are typed', whyNoMan), async () => {
  const page = files.find((file) => file.endsWith('hermes-token.1')) ?? ''
  const env = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '', MANROFFSEQ: '' }
  const { code, stdout, stderr } = await tryRun('man', ['--warnings', '-P', 'cat', '-l', page], { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('\n           hermes token create ci --scope operate -p coder -p writer\n')
  expect(stdout).toContain('\n       --scope SCOPE\n')
})
