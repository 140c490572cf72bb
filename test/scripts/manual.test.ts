import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { manual } from '../../scripts/build/manual.ts'
import { escaped, example, item, paragraph, prose, title } from '../../scripts/build/roff.ts'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { configKeys } from '../../src/profile/config/keys.ts'

const PAGES = manual({ version: '1.2.3', builtAt: '2026-12-01T10:00:00Z' })

test('marks that roff would take for something else are escaped, and those that it would print as other ones', () => {
  expect(escaped('a\\n --all "x" it\'s `y` ^~')).toBe('a\\en \\-\\-all \\(dqx\\(dq it\\(aqs \\(gay\\(ga \\(ha\\(ti')
  expect(escaped('two\n  lines… 🜁')).toBe('two lines\\[u2026] \\[u1F701]')
})

test('a dot at the beginning of a line is text', () => {
  expect(paragraph(escaped('.env is read'))).toBe('.PP\n\\&.env is read\n')
  expect(item(escaped('.env'), escaped('.SH'))).toBe('.TP\n\\&.env\n\\&.SH\n')
  expect(example(['.so /etc/passwd'])).toContain('\n\\&.so /etc/passwd\n')
})

test('Markdown in the tables becomes bold text, and a link its text', () => {
  expect(prose('see `-p` ([why](a.md#b))')).toBe('see \\fB\\-p\\fR (why)')
})

test('lines of an example keep their spaces', () => {
  expect(example(['a:', '  b: 1'])).toContain('a:\n  b: 1\n')
})

test('a page has its name, section, date and version', () => {
  expect(title({ name: 'hermes-x', section: 1, date: '2026-12-01', source: 'hermes 1' })).toMatch(
    /^\.TH "HERMES\\-X" 1 "2026-12-01" "hermes 1" "Hermes"\n/,
  )
  expect(PAGES['hermes.1']).toContain('.TH "HERMES" 1 "2026-12-01" "hermes 1.2.3" "Hermes"\n')
})

test('every command has a part in the page of its group, and every key one in hermes-config(5)', () => {
  for (const { path } of COMMANDS) {
    const [first = ''] = path.split(' ')
    const page = path.includes(' ') ? `hermes-${first}.1` : 'hermes.1'
    expect(PAGES[page], path).toContain(`.SS "${escaped(`hermes ${path}`)}`)
  }
  for (const key of configKeys()) expect(PAGES['hermes-config.5']).toContain(`\n\\fB${escaped(key)}\\fR\n`)
})

test('the page of hermes names every other page', () => {
  for (const { name } of GROUPS) expect(PAGES['hermes.1']).toContain(`\\fBhermes\\-${escaped(name)}\\fR(1)`)
  expect(PAGES['hermes-token.1']).toMatch(/\.SH "SEE ALSO"\n\\fBhermes\\fR\(1\),\n/)
})

test('a line after a colon is a command to type', () => {
  expect(PAGES['hermes-token.1']).toContain('.nf\n.RS 4\nhermes token create ci \\-\\-scope operate')
})

test('npm installs every page that the build makes', () => {
  const files = Object.keys(PAGES).map((name) => `dist/share/man/man${name.slice(-1)}/${name}`)
  expect([...packageJson.man].sort()).toEqual(files.sort())
})
