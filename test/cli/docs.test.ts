import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseArguments } from '../../src/cli/parser/parser.ts'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { INTERNAL_VARIABLES, VARIABLES } from '../../src/cli/variables.ts'
import { splitCommandLine } from '../../src/system/programs/command-line.ts'
import { MADE_PAGES, MARK } from '../support/reference.ts'

const root = join(import.meta.dirname, '..', '..')
const page = (name: string): string => join(root, 'docs', name)

test.each(Object.keys(MADE_PAGES))('docs/%s says what the code does', (name) => {
  const text = readFileSync(page(name), 'utf8')
  const [before, between, after] = text.split(`${MARK}\n`)
  const made = `\n${MADE_PAGES[name]?.()}\n`
  if (process.env.HERMES_WRITE_DOCS === '1') writeFileSync(page(name), [before, made, after].join(`${MARK}\n`))
  else expect(between).toBe(made)
})

test('every variable that the code reads stands in the list of docs/environment.md', () => {
  const listed = [...VARIABLES, ...INTERNAL_VARIABLES].map(({ name }) => name)
  const read = [
    ...new Set(
      sources().flatMap((text) =>
        [...text.matchAll(/\b(HERMES|API_SERVER|S6)_[A-Z0-9_]*[A-Z0-9]\b/g)].map(([name]) => name),
      ),
    ),
  ]
  const own = ['HERMES_ARCH', 'HERMES_VERSION', 'HERMES_SAVED', 'HERMES_TEST_INSTALL']
  expect(
    read.filter((name) => !listed.includes(name) && !own.includes(name) && !name.startsWith('HERMES_SAVED_')),
  ).toEqual([])
})

const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))

/** `hermes …` lines of the fenced blocks, as arguments, without comments after two or more spaces. */
function commandLines(name: string): readonly (readonly string[])[] {
  const blocks = [...readFileSync(page(name), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block.split('\n'),
  )
  return blocks.flatMap((line) => {
    const inContainer = line.lastIndexOf('hermes hermes ')
    const typed =
      line.startsWith('docker exec ') && inContainer !== -1 ? line.slice(inContainer + 'hermes '.length) : line
    const found = /^(?:\.\/dist\/bin\/)?hermes (.*?)(?:\s+#.*)?$/.exec(typed)
    // A line that only shows the form, or goes on in another program, is not a command.
    if (!found?.[1] || /COMMAND|[;|&<>]/.test(found[1])) return []
    return [(found[1].match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((argument) => argument.replace(/^(['"])(.*)\1$/, '$2'))]
  })
}

test.each(pages)('every hermes command in docs/%s can be typed like that', (name) => {
  for (const args of commandLines(name)) {
    const parsed = (): unknown => parseArguments(splitCommandLine(args).args, COMMANDS, GROUPS)
    expect(parsed, args.join(' ')).not.toThrow()
  }
})

test('and the test of that sees commands at all', () => {
  expect(commandLines('a-gateway-keeps-dying.md').length).toBeGreaterThan(5)
})

function sources(dir = join(root, 'src')): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return sources(path)
    // The list itself, and code points of unrelated words, are not readers.
    return path.endsWith('.ts') && !path.endsWith('cli/variables.ts') ? [readFileSync(path, 'utf8')] : []
  })
}
