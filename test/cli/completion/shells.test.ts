// Completion in real shells.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { PLACES } from '../../../src/cli/completion/places.ts'
import { SHELLS } from '../../../src/cli/completion/script.ts'
import { hermes, type Ran } from '../../support/cli.ts'
import { installDir } from '../../support/install.ts'
import { quickScratchDir, sharedScratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { type Ask, type Asked, askBash, askFish, askZsh } from './real-shells.ts'

const home = sharedScratchDir('hermes-completion-')
const run = (args: readonly string[]): Promise<Ran> => hermes(args, { home })
/** A title that a shell could take for more than text. */
const TITLE = "it's $(touch pwned) `touch pwned` a:b \\n"
let task = ''
beforeAll(async () => {
  await run(['profile', 'create', 'coder', '--description', 'writes code'])
  task = JSON.parse((await run(['kanban', 'create', TITLE, '--json'])).stdout).id
  const done = JSON.parse((await run(['kanban', 'create', 'over', '--json'])).stdout).id
  await run(['kanban', 'complete', done])
  await run(['kanban', 'boards', 'create', 'other'])
}, 120_000)

const of = (shell: (typeof SHELLS)[number]): string => join(installDir(), 'share', PLACES[shell])

interface Question {
  readonly line: string
  readonly words: () => readonly string[]
  /** Of the first word, in a shell that shows descriptions. */
  readonly help?: () => string
}

const QUESTIONS: readonly Question[] = [
  { line: 'hermes gatew', words: () => ['gateway'], help: () => 'Manage gateways' },
  { line: 'hermes -p coder gateway st', words: () => ['start', 'stop', 'status'], help: () => 'Start the gateway' },
  { line: 'hermes profile create x --cl', words: () => ['--clone'], help: () => 'copy settings' },
  { line: 'hermes backup --enc', words: () => ['--encrypt'] },
  { line: 'hermes token create x --scope ', words: () => ['read', 'board', 'operate', 'admin'] },
  { line: 'hermes token create x --scope=op', words: () => ['operate'] },
  {
    line: 'hermes config get gateway.restart_d',
    words: () => ['gateway.restart_delay.first', 'gateway.restart_delay.max'],
    help: () => 'delay before',
  },
  { line: 'hermes config set gateway.on_s', words: () => ['gateway.on_stuck'] },
  { line: 'hermes profile delete c', words: () => ['coder'], help: () => 'writes code' },
  { line: 'hermes kanban show ', words: () => [task], help: () => TITLE },
  { line: 'hermes kanban show --board other ', words: () => [] },
  { line: 'hermes kanban list --board o', words: () => ['other'] },
]
const lines = QUESTIONS.map(({ line }) => line)

/** fish puts the option before a value, as it completes the whole word; a shell that has nothing shows options. */
const wordsOf = (found: readonly string[]): readonly string[] =>
  found
    .map((one) => (one.split('\t')[0] ?? '').replace(/^--scope=/, ''))
    .filter((word) => !/^--(profile|json|help|board)$/.test(word))

function expectAll({ offers, errors }: Asked, described: boolean): void {
  expect(errors).toBe('')
  for (const { line, words, help } of QUESTIONS) {
    const found = offers[line] ?? []
    expect([...wordsOf(found)].sort(), line).toEqual([...words()].sort())
    if (!described || help === undefined) continue
    expect(
      found.find((one) => one.startsWith(`${words()[0]}\t`)),
      line,
    ).toContain(`\t${help()}`)
  }
}

test('bash completes commands, options and values', async () => {
  expectAll(await askBash({ home, script: of('bash'), lines }), false)
})

const whyNoFish = whyMissing('fish')
test.skipIf(whyNoFish !== undefined)(named('fish completes them, with descriptions', whyNoFish), async () => {
  expectAll(await askFish({ home, script: of('fish'), lines }), true)
})

const whyNoZsh = whyMissing('zsh')
test.skipIf(whyNoZsh !== undefined)(
  named('zsh completes them, with descriptions', whyNoZsh),
  { timeout: 300_000 },
  async () => {
    expectAll(await askZsh({ home, script: dirname(of('zsh')), lines }), true)
  },
)

test('words of the table start no program, and a hermes that fails prints nothing', async () => {
  const place = quickScratchDir('hermes-called-')
  const called = join(place, 'called')
  mkdirSync(join(place, 'bin'))
  writeFileSync(join(place, 'bin', 'hermes'), `#!/bin/sh\necho "$*" >>${called}\necho broken >&2\nexit 1\n`)
  chmodSync(join(place, 'bin', 'hermes'), 0o755)
  const env = { PATH: `${join(place, 'bin')}:${process.env.PATH}` }
  const still = ['hermes gatew', 'hermes token create x --scope ', 'hermes config get gateway.restart_d']
  const asking = ['hermes kanban show --board other ']
  const asks: readonly ((ask: Ask) => Promise<Asked>)[] = whyNoFish === undefined ? [askBash, askFish] : [askBash]
  for (const [at, ask] of asks.entries()) {
    const script = of(at === 0 ? 'bash' : 'fish')
    const { offers, errors } = await ask({ home, script, lines: [...still, ...asking], env })
    expect(errors).toBe('')
    expect(offers['hermes gatew']).toHaveLength(1)
  }
  const calls = readFileSync(called, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  expect(new Set(calls)).toEqual(new Set(['completion values tasks --board other']))
})

test('the values are lines of a word and a description, and JSON', async () => {
  expect((await run(['completion', 'values', 'tasks'])).stdout).toBe(`${task}\t${TITLE}\n`)
  expect(JSON.parse((await run(['completion', 'values', 'profiles', '--json'])).stdout)).toEqual([
    { value: 'default', description: '' },
    { value: 'coder', description: 'writes code' },
  ])
})

test.each(SHELLS)('hermes completion %s prints the file of the build', async (shell) => {
  const script = readFileSync(of(shell), 'utf8')
  expect(JSON.parse((await run(['--json', 'completion', shell])).stdout)).toEqual({ shell, script })
})
