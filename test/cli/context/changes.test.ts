import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readAudit } from '../../../src/access/audit-read.ts'
import { runRecorded } from '../../../src/cli/context/audited.ts'
import { CHANGING, changeBy } from '../../../src/cli/context/changes.ts'
import type { Command } from '../../../src/cli/context/command.ts'
import type { Context } from '../../../src/cli/context/context.ts'
import type { Outcome } from '../../../src/cli/terminal/output.ts'
import { COMMANDS } from '../../../src/cli/tree.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

/** Commands that change nothing, or whose change the supervisor or another program records. */
const OTHERS = [
  'audit',
  'chat',
  'completion bash',
  'completion fish',
  'completion install',
  'completion values',
  'completion zsh',
  'config check',
  'config get',
  'config schema',
  'dashboard hash-password',
  'dashboard restart',
  'dashboard run',
  'dashboard start',
  'dashboard status',
  'dashboard stop',
  'doctor',
  'env show',
  'front-port',
  'gateway restart',
  'gateway run',
  'gateway start',
  'gateway status',
  'gateway stop',
  'healthcheck',
  'kanban attachments',
  'kanban dispatch-status',
  'kanban dispatcher',
  'kanban export',
  'kanban heartbeat',
  'kanban list',
  'kanban log',
  'kanban prompt',
  'kanban runs',
  'kanban show',
  'kanban stats',
  'kanban tail',
  'kanban watch',
  'kanban why',
  'kanban work',
  'forward list',
  'forwarder',
  'logs',
  'meter',
  'nodes',
  'notifier',
  'notify list',
  'notify test',
  'notify why',
  'profile list',
  'profile show',
  'service list',
  'service logs',
  'service reload',
  'service restart',
  'service start',
  'service status',
  'service stop',
  'start',
  'status',
  'stop',
  'systemd install',
  'token list',
  'top',
  'upgrade check',
  'usage',
  'version',
  'why',
]

test('every command is either recorded or known to need no line', () => {
  const paths = COMMANDS.map(({ path }) => path)
  expect([...Object.keys(CHANGING), ...OTHERS].sort()).toEqual(paths.sort())
  for (const { path, writes } of COMMANDS) if (writes) expect([path, path in CHANGING]).toEqual([path, true])
})

const of = (path: string, args: readonly string[] = [], options: Readonly<Record<string, string | true>> = {}) =>
  changeBy(path, { args, options })

test('titles, comments, values and tokens are in no line; names and ids are', () => {
  expect(of('kanban comment', ['t_1', 'a text'])).toMatchObject({ action: 'kanban comment', target: 't_1' })
  expect(of('kanban create', ['a title'])).toMatchObject({ target: undefined, madeByIt: true })
  expect(of('token revoke', ['hermes_secret'])).toMatchObject({ target: undefined, madeByIt: true })
  expect(of('config set', ['agent.model', 'a value'])).toMatchObject({ target: 'agent.model', ofProfile: true })
  expect(of('kanban routine', ['pause', 'daily'])).toMatchObject({ action: 'kanban routine pause', target: 'daily' })
  expect(of('kanban settings', ['max_in_progress', '4'])).toMatchObject({ target: 'max_in_progress' })
})

test('a command that only reads has no line', () => {
  expect(of('kanban list')).toBeUndefined()
  expect(of('kanban boards', ['list'])).toBeUndefined()
  expect(of('kanban settings', ['max_in_progress'])).toBeUndefined()
  expect(of('kanban settings', ['max_in_progress'], { unset: true })).toBeDefined()
  expect(of('kanban dispatch', [], { 'dry-run': true })).toBeUndefined()
  expect([of('backup schedule'), of('backup schedule', ['0 3 * * *'])]).toEqual([undefined, expect.anything()])
  expect(of('restore', ['a.tar.gz'], { verify: true })).toBeUndefined()
  expect(of('restore', ['a.tar.gz'], { into: '/elsewhere' })).toBeUndefined()
  expect(of('constructor')).toBeUndefined()
})

function scene() {
  const home = join(scratchDir('changes-'), 'home')
  const said: string[] = []
  const context = {
    home,
    clock: fakeClock(),
    actor: () => 'me',
    dropRoot: async () => undefined,
    profile: () => ({ name: 'coder', dir: home }),
    output: { out: () => undefined, err: (text: string) => said.push(text), closed: false },
  } as unknown as Context
  const run = (path: string, act: () => Outcome, args: readonly string[] = []) =>
    runRecorded(context, { path, summary: '', run: act } satisfies Command, { args, options: {} })
  const lines = () =>
    readAudit(home, {}, 50).entries.map(({ actor, via, action, target, result }) =>
      [actor, via, action, target, result].join('|'),
    )
  return { home, said, run, lines }
}

test('a line says how a command ended; one that was typed wrong has none', async () => {
  const { home, said, run, lines } = scene()
  mkdirSync(join(home, 'logs'), { recursive: true })
  await run('kanban create', () => ({ json: { id: 't_1' } }), ['a title'])
  await run('profile delete', () => ({ exitCode: 5 }), ['coder'])
  await run('env set', () => ({}), ['KEY'])
  await run('kanban list', () => ({}))
  const fail = (code: 'EXISTS' | 'USAGE') => () => {
    throw new HermesError(code, 'no')
  }
  await expect(run('profile create', fail('EXISTS'), ['coder'])).rejects.toThrow('no')
  await expect(run('profile create', fail('USAGE'), ['coder'])).rejects.toThrow('no')
  expect(lines()).toEqual([
    'me|cli|kanban create|t_1|done',
    'me|cli|profile delete|coder|exit 5',
    'me|cli|env set|coder KEY|done',
    'me|cli|profile create|coder|exists',
  ])
  expect(said).toEqual([])
})

test('a failure does not begin a home, and neither does a command about another one', async () => {
  const { home, run } = scene()
  await expect(
    run('restore', () => {
      throw new HermesError('FAILED', 'damaged')
    }),
  ).rejects.toThrow('damaged')
  await run('restore', () => ({}))
  expect(existsSync(home)).toBe(false)
})
