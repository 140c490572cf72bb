// `hermes import upstream` as it is typed.
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase } from '../../../src/system/files/sqlite.ts'
import { hermes as command, type Ran } from '../../support/cli.ts'
import { scratchDir } from '../../support/scratch.ts'

test('a home of the original agent is taken over while it is in use, and nothing in it changes', async () => {
  const top = scratchDir('hermes-upstream-')
  const old = join(top, 'old')
  const home = join(top, 'home')
  for (const name of ['profiles/ada/skills', 'memories', 'hermes-agent', 'cache', 'profiles/ada/cache', 'logs'])
    mkdirSync(join(old, name), { recursive: true })
  const files = {
    'config.yaml': 'model: gpt\nterminal: {backend: local}\n',
    '.env': 'KEY=x\n',
    'SOUL.md': '# soul\n',
    'memories/MEMORY.md': 'x',
    'profiles/ada/config.yaml': 'model: gpt\n',
    'profiles/ada/gateway_state.json': '{"gateway_state": "running"}',
    'hermes-agent/large': 'x',
    'profiles/ada/cache/x': 'x',
    'gateway.pid': '1',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(old, name), text)
  chmodSync(join(old, '.env'), 0o600)
  const state = openDatabase(join(old, 'profiles', 'ada', 'state.db'))
  state.exec(
    'CREATE TABLE messages (n); INSERT INTO messages VALUES (1); BEGIN IMMEDIATE; INSERT INTO messages VALUES (2)',
  )
  const board = openDatabase(join(old, 'kanban.db'))
  board.exec('CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT)')
  board.close()
  // Not the databases: to open and close one in this process would release the locks that it has (fcntl(2)).
  const content = (): unknown => [
    readdirSync(old, { recursive: true }).sort(),
    Object.keys(files).map((name) => readFileSync(join(old, name), 'utf8')),
  ]
  const before = content()
  const hermes = (...args: readonly string[]): Promise<Ran> => command(args, { home })
  try {
    const trial = await hermes('import', 'upstream', old, '--dry-run')
    expect(trial.code).toBe(0)
    expect(trial.stdout).toContain(`${old}: nothing was written; it would go to ${home}\n`)
    expect(trial.stdout).toMatch(/^ {2}default {2}4 +\d+ B +2 unknown: hermes -p default config check$/m)
    expect(trial.stdout).toMatch(/^ {2}ada {6}2 +.* +1 unknown: hermes -p ada config check$/m)
    expect(trial.stderr.trimEnd().split('\n')).toEqual([
      'hermes: warning: left out: cache is a cache',
      'hermes: warning: left out: hermes-agent belongs to the program, not to the home',
      'hermes: warning: left out: kanban.db is a board of another form',
      'hermes: warning: left out: profiles/ada/cache is a cache',
    ])
    expect(readdirSync(top)).toEqual(['old'])

    const taken = await hermes('import', 'upstream', old)
    expect([taken.code, taken.stderr]).toEqual([0, trial.stderr])
    expect(taken.stdout).toContain(`${old}: it is in ${home}; every gateway stays stopped\n`)
    expect(content()).toEqual(before)
  } finally {
    state.close()
  }
  expect(readdirSync(home).sort()).toEqual([
    '.env',
    'SOUL.md',
    'config.yaml',
    'desired_state',
    'logs',
    'memories',
    'profiles',
  ])
  const ada = join(home, 'profiles', 'ada')
  expect(readdirSync(ada).sort()).toEqual(['config.yaml', 'desired_state', 'skills', 'state.db'])
  expect(readFileSync(join(ada, 'desired_state'), 'utf8')).toBe('stopped\n')
  const copy = openDatabase(join(ada, 'state.db'))
  expect(copy.prepare('SELECT n FROM messages').all()).toEqual([{ n: 1 }])
  copy.close()

  const refusals: readonly (readonly [readonly string[], number, string])[] = [
    [[old], 1, `${home} is not empty: it has `],
    [[old, '--dry-run'], 1, `${home} is not empty: the import would be refused`],
    [[join(top, 'none')], 2, 'is not a home'],
    [[old, '--into', join(old, 'sub')], 2, 'are not two separate directories'],
  ]
  for (const [args, code, line] of refusals) {
    const ran = await hermes('import', 'upstream', ...args)
    expect([ran.code, ran.stderr], args.join(' ')).toEqual([code, expect.stringContaining(line)])
  }
  const check = await hermes('upgrade', 'check')
  expect(check.code).toBe(1)
  expect(check.stdout).toMatch(
    /^fail .*config\.yaml, line 1: model: unknown key.*\n {7}next: hermes -p default config edit$/m,
  )
  expect(check.stdout).toMatch(/hermes \S+ cannot use all of .*: 3 problems\n$/)
})
