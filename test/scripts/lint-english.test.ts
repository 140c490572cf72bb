import { expect, test } from 'vitest'
import {
  bannedIn,
  bannedInComments,
  bannedInHashComments,
  bannedInTexts,
  bannedInTitles,
  chainedIn,
  longLinesInSource,
  longLinesOf,
  proseOf,
  summariesIn,
} from '../../scripts/lint/english-rules.ts'

test.each([
  'Nobody is waited for.',
  'The slot is told what to do.',
  'It was said in the log.',
  'Whoever starts it',
  'The socket is open to anybody.',
  'It holds back who writes.',
  'Meanwhile the others wait.',
  'It runs for ever.',
  'Mend the file.',
  'A row that is no task',
  'A container whose main program is\nno program of ours',
  'Those of other slots are skipped.',
  'Listeners are asked: who is gone is removed.',
  'The rest runs. What fails is skipped.',
])('an unclear construction is found: %s', (text) => {
  expect(bannedIn(text)).not.toEqual([])
})

test.each([
  'There is no lock here.',
  'The slot is no longer there.',
  'The slot is no\n  longer there.',
  'A user who reaches the port can read the log.',
  'Who may read the log? Every user.',
  'What to do',
  'What runs here? Every slot.',
  'recommended',
])('a clear sentence passes: %s', (text) => {
  expect(bannedIn(text)).toEqual([])
})

test('a finding names its line', () => {
  expect(bannedIn('One.\nTwo.\nThe slot is\ntold.').map(({ line, text }) => [line, text])).toEqual([[4, 'told']])
})

test('the prose of a page has neither code nor targets of links, nor what is made from the code', () => {
  const page = [
    'Run `nobody`.',
    '```sh',
    'echo told',
    '```',
    'See [it](told.md).',
    '<!-- made from the code -->',
    '| told |',
    '<!-- made from the code -->',
    '| A sentence. | `test/x.test.ts`: whoever asks is told |',
  ].join('\n')
  expect(bannedIn(proseOf(page))).toEqual([])
  expect(proseOf(page).split('\n')).toHaveLength(page.split('\n').length)
})

test('two semicolons in one sentence are found, in paragraphs and list items but not in tables', () => {
  expect(chainedIn('First.\n\n- It starts; it runs; it ends.').map(({ line }) => line)).toEqual([3])
  expect(chainedIn('It starts; it runs. It ends; that is all.')).toEqual([])
  expect(chainedIn('| it starts; it runs; it ends |')).toEqual([])
})

const LONG = 'x '.repeat(61)

test('lines over 120 characters of a page are found, but for links, tables and code', () => {
  expect(longLinesOf(`short\n${LONG}x`).map(({ line }) => line)).toEqual([2])
  expect(longLinesOf(`https://example.org/${LONG}x`)).toEqual([])
  expect(longLinesOf(`| ${LONG} |\n\`\`\`sh\n${LONG}x\n\`\`\``)).toEqual([])
})

test('lines over 120 characters of a source are found, but for literals', () => {
  const found = (source: string): readonly number[] => longLinesInSource('x.ts', source).map(({ line }) => line)
  expect(found(`const a = 1\n// ${LONG}x`)).toEqual([2])
  expect(found(`const a = 1 // 'a' ${LONG}x`)).toEqual([1])
  expect(found(`const a = 'a' // ${LONG}x`)).toEqual([1])
  expect(found(`const a = '${LONG}'`)).toEqual([])
  expect(found(`const a = \`\n${LONG}x\n\``)).toEqual([])
})

test('texts of a source are checked, names are not', () => {
  const found = (source: string): readonly string[] => bannedInTexts('x.tsx', source).map(({ text }) => text)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the source text of a template
  expect(found('const a = `the slot ${name} was told to end`')).toEqual(['told'])
  expect(found('const a = <p>nobody is signed in</p>')).toEqual(['nobody'])
  expect(found("const user = 'nobody'\n/** Nobody reads this. */")).toEqual([])
})

test('doc comments and lines of // comments are checked, the code in them is not', () => {
  const found = (source: string): readonly unknown[] =>
    bannedInComments('x.ts', source).map(({ line, text }) => [line, text])
  expect(found('const a = 1\n/**\n * One.\n * Nobody reads this.\n */\nconst b = 1')).toEqual([[4, 'Nobody']])
  expect(found('const a = {\n  b: 1, // for ever\n  // The slot is\n  // no slot.\n}')).toEqual([
    [2, 'for ever'],
    [3, 'is no'],
  ])
  expect(found("/** The user `nobody`. */\nconst a = 'nobody // told' // the user `nobody`")).toEqual([])
})

test('comments of shell files are checked, their commands are not', () => {
  const found = (text: string): readonly unknown[] => bannedInHashComments(text).map((one) => [one.line, one.text])
  expect(found('#!/bin/sh\n# It runs\n# for ever.\necho told # told\n')).toEqual([[3, 'for ever']])
  expect(found('echo "nobody"\n')).toEqual([])
})

test('titles of tests are checked together with those of their groups, the texts of their bodies are not', () => {
  const found = (source: string): readonly unknown[] =>
    bannedInTitles('x.test.ts', source).map(({ line, text }) => [line, text])
  expect(found("test('the slot is told', () => undefined)")).toEqual([[1, 'told']])
  expect(found("test.each(x)('what fails is named', () => undefined)")).toEqual([[1, 'what']])
  expect(found("describe('a file', () => {\n  test('that nobody reads', () => undefined)\n})")).toEqual([[2, 'nobody']])
  const relative = "describe('a request', () => {\n  test('whose client is gone goes on', () => undefined)\n})"
  expect(found(relative)).toEqual([])
  expect(found("test('a file is written', () => expect('nobody reads it').toBeTruthy())")).toEqual([])
})

test('summaries begin with a verb in its base form', () => {
  const found = (summary: string): readonly unknown[] =>
    summariesIn('x.ts', `const command = { summary: '${summary}' }`)
  expect(found('Show the state of a slot')).toEqual([])
  expect(found('shows the state of a slot')).not.toEqual([])
  expect(found('The state of a slot')).not.toEqual([])
})
