// The power goes right after a command has answered: everything it reported is on the disk.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parentsOf, requireTask } from '../../../src/kanban/sqlite/queries.ts'
import type { Tables } from '../../../src/kanban/sqlite/tables.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import type { Task } from '../../../src/kanban/task.ts'
import { hermes } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { cutDisk } from '../../support/hostile/power-cut.ts'
import { scratchDir } from '../../support/scratch.ts'
import { size } from '../../support/size.ts'

const CUTS = size(3, 50)

/** One command, and what the disk says of it. */
interface Act {
  readonly args: (round: number, task: string, parent: string) => readonly string[]
  readonly input?: string
  readonly isThere: (home: string, round: number, task: string) => boolean | Promise<boolean>
}

const onBoard = async (home: string, look: (board: Tables) => boolean): Promise<boolean> => {
  const tables = openTables(boardPlace(home, 'default'), { mode: 'write', warn: () => undefined })
  try {
    return look(tables)
  } finally {
    tables.close()
  }
}
/** A command about the round's task, after which the task is as `isSo` says. */
const task = (args: (task: string, parent: string) => readonly string[], isSo: (task: Task) => boolean): Act => ({
  args: (_, id, parent) => ['kanban', ...args(id, parent)],
  isThere: (home, _, id) => onBoard(home, (board) => isSo(requireTask(board, id))),
})
const text = (...path: string[]): string => readFileSync(join(...path), 'utf8')
const isTitled = (home: string, title: string): Promise<boolean> =>
  onBoard(home, (board) => board.get('SELECT 1 FROM tasks WHERE title = ?', title) !== undefined)

// In this order, on one task per round.
const ACTS: Readonly<Record<string, Act>> = {
  'kanban create': {
    args: (round) => ['kanban', 'create', `by the test ${round}`],
    isThere: (home, round) => isTitled(home, `by the test ${round}`),
  },
  'kanban comment': {
    args: (round, id) => ['kanban', 'comment', id, `said in ${round}`],
    isThere: (home, round, id) =>
      onBoard(
        home,
        (board) =>
          board.get('SELECT 1 FROM comments WHERE task_id = ? AND body = ?', id, `said in ${round}`) !== undefined,
      ),
  },
  'kanban assign': task(
    (id) => ['assign', id, 'default'],
    ({ assignee }) => assignee === 'default',
  ),
  'kanban link': {
    args: (_, id, parent) => ['kanban', 'link', parent, id],
    isThere: (home, _, id) => onBoard(home, (board) => parentsOf(board, id).length === 1),
  },
  'kanban unlink': {
    args: (_, id, parent) => ['kanban', 'unlink', parent, id],
    isThere: (home, _, id) => onBoard(home, (board) => parentsOf(board, id).length === 0),
  },
  'kanban schedule': task(
    (id) => ['schedule', id, '--at', '+2h'],
    ({ status }) => status === 'scheduled',
  ),
  'kanban promote': task(
    (id) => ['promote', id],
    ({ status }) => status === 'ready',
  ),
  'kanban block': task(
    (id) => ['block', id],
    ({ status }) => status === 'blocked',
  ),
  'kanban unblock': task(
    (id) => ['unblock', id],
    ({ status }) => status === 'ready',
  ),
  'kanban complete': task(
    (id) => ['complete', id],
    ({ status }) => status === 'done',
  ),
  'kanban archive': task(
    (id) => ['archive', id],
    ({ status }) => status === 'archived',
  ),
  'kanban dispatch': {
    args: () => ['kanban', 'dispatch', '--max', '1000'],
    isThere: (home) =>
      onBoard(
        home,
        (board) => board.get("SELECT 1 FROM tasks WHERE status = 'ready' AND assignee IS NULL") === undefined,
      ),
  },
  'kanban boards create': {
    args: (round) => ['kanban', 'boards', 'create', `board${round}`],
    isThere: (home, round) => existsSync(boardPlace(home, `board${round}`).file),
  },
  'profile create': {
    args: (round) => ['profile', 'create', `p${round}`],
    isThere: (home, round) => text(home, 'profiles', `p${round}`, 'config.yaml') !== '',
  },
  'profile use': {
    args: (round) => ['profile', 'use', `p${round}`],
    isThere: (home, round) => text(home, 'active_profile').trim() === `p${round}`,
  },
  'gateway start': {
    args: (round) => ['-p', `p${round}`, 'gateway', 'start', '--no-wait'],
    isThere: (home, round) => text(home, 'profiles', `p${round}`, 'desired_state') === 'running\n',
  },
  'gateway stop': {
    args: (round) => ['-p', `p${round}`, 'gateway', 'stop'],
    isThere: (home, round) => text(home, 'profiles', `p${round}`, 'desired_state') === 'stopped\n',
  },
  'config set': {
    args: (round) => ['-p', `p${round}`, 'config', 'set', 'description', `set in ${round}`],
    isThere: (home, round) => text(home, 'profiles', `p${round}`, 'config.yaml').includes(`set in ${round}`),
  },
  login: {
    args: (round) => ['-p', `p${round}`, 'login'],
    input: 'sk-a-key\n',
    isThere: (home, round) => text(home, 'profiles', `p${round}`, 'auth.json').includes('sk-a-key'),
  },
  'profile rename': {
    args: (round) => ['profile', 'rename', `p${round}`, `q${round}`],
    isThere: (home, round) =>
      existsSync(join(home, 'profiles', `q${round}`)) && !existsSync(join(home, 'profiles', `p${round}`)),
  },
  'profile delete': {
    args: (round) => ['profile', 'delete', `q${round}`, '--yes'],
    isThere: (home, round) => !existsSync(join(home, 'profiles', `q${round}`)),
  },
}

test(`${CUTS} power cuts after each kind of command: everything it has reported is on the disk`, {
  timeout: size(180_000, 0),
}, async (context) => {
  const made = cutDisk()
  if (typeof made === 'string') return context.skip(`no disk to cut: ${made}`)
  using disk = made
  const home = join(disk.path, 'home')
  const runDir = scratchDir('hermes-cut-run-')
  await using _ = await startHermes({
    home,
    keepHome: true,
    runDir,
    profiles: [{ name: 'default', gateway: { command: ['sleep', '1000000'] }, desired: 'stopped' }],
  })
  const run = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await hermes(args, {
      home,
      env: { HERMES_RUN_DIR: runDir },
      ...(input !== undefined && { input }),
    })
    expect(code, `${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }
  await run(['config', 'set', 'kanban.default_assignee', 'default'])
  await run(['kanban', 'init'])
  const idOf = async (title: string): Promise<string> =>
    (JSON.parse(await run(['--json', 'kanban', 'create', title, '--triage'])) as { id: string }).id
  const parent = await idOf('the parent')
  const lost: string[] = []
  for (let round = 0; round < CUTS; round++) {
    const id = await idOf('the task')
    await run(['kanban', 'promote', id])
    for (const [name, act] of Object.entries(ACTS)) {
      await run(act.args(round, id, parent), act.input)
      const seen = await disk
        .afterCut(async (path) => act.isThere(join(path, 'home'), round, id))
        .catch((error: Error) => error.message)
      if (seen !== true) lost.push(`${name} (cut ${round + 1}): ${seen}`)
    }
  }
  expect(lost).toEqual([])
})
