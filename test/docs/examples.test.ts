import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { examplesOf, NOT_AN_EXAMPLE } from '../../scripts/examples.ts'
import { commandBlocks, pages, root } from '../support/pages.ts'

const examples = examplesOf(pages())
const directory = join(root, 'examples')

test('examples/ holds the marked blocks of the pages and nothing else; npm run examples writes them', () => {
  const names = readdirSync(directory).filter((name) => name !== NOT_AN_EXAMPLE)
  expect(examples.length).toBeGreaterThan(4)
  expect(names.sort()).toEqual(examples.map(({ name }) => name))
  for (const { name, text } of examples) {
    expect(readFileSync(join(directory, name), 'utf8'), `${name} differs from its page: npm run examples`).toBe(text)
    expect(statSync(join(directory, name)).mode & 0o111).toBe(0o111)
  }
})

test('every example is made of blocks that the tests of the pages run', () => {
  const run = pages().flatMap((page) => commandBlocks(page).map(({ text }) => text))
  for (const { name, text } of examples) {
    const commands = text.slice(text.indexOf('\nset -eu\n') + '\nset -eu\n'.length)
    const notRun = run.reduce((rest, block) => rest.replace(block, ''), commands)
    expect(notRun.trim(), name).toBe('')
  }
})

test('the README of the examples names each of them', () => {
  const readme = readFileSync(join(directory, NOT_AN_EXAMPLE), 'utf8')
  for (const { name } of examples) expect(readme).toContain(`[${name}](${name})`)
})

test('a changed block is seen', () => {
  const page = { path: 'docs/a.md', text: '<!-- example: a.sh -->\n```sh\necho one\n```\n' }
  const changed = { ...page, text: page.text.replace('one', 'two') }
  expect(examplesOf([page])).toEqual([
    { name: 'a.sh', text: expect.stringMatching(/^#!\/bin\/sh\n[\s\S]+\necho one\n$/) },
  ])
  expect(examplesOf([changed])).not.toEqual(examplesOf([page]))
})
