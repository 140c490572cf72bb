// Backups that are killed at random points, while a board and a conversation are written to.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sessionsFile } from '../../../src/gateway/sessions/store.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { openDatabase } from '../../../src/system/files/sqlite.ts'
import { putBack } from '../../backup/scene.ts'
import { hermes, startProgram } from '../../support/cli.ts'
import { program } from '../../support/install.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { size } from '../../support/size.ts'
import { waitFor } from '../../support/wait.ts'

const KILLS = size(20, 1000)
const writer = join(import.meta.dirname, '../../support/programs/writes-home.ts')

/** One row of one column. */
function one(file: string, sql: string): unknown {
  const database = openDatabase(file)
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    return Object.values(database.prepare<[], Record<string, unknown>>(sql).get() ?? {})[0]
  } finally {
    database.close()
  }
}

/** The steps that a restored home has, each whole: a moment of each database. */
function stepsOf(home: string): { readonly board: number; readonly talk: number } {
  const { file } = boardPlace(home, 'default')
  const board = Number(one(file, 'SELECT count(*) FROM tasks'))
  expect(one(file, "SELECT count(*) FROM events WHERE kind = 'created'")).toBe(board)
  // Without a gap: the last one is the number of all.
  expect(one(file, `SELECT count(*) FROM tasks WHERE title = 'task ${board}'`)).toBe(Math.min(1, board))
  const sessions = sessionsFile(join(home, 'profiles', 'coder'))
  const messages = Number(one(sessions, 'SELECT count(*) FROM messages'))
  expect(messages % 2).toBe(0)
  const last = String(one(sessions, 'SELECT message FROM messages ORDER BY id DESC LIMIT 1'))
  expect(last).toContain(`"answer ${messages / 2}"`)
  return { board, talk: messages / 2 }
}

test(`${KILLS} backups killed at random points: what has the name is whole, and each database is one moment`, {
  timeout: size(1_800_000, 0),
}, async () => {
  const top = quickScratchDir('hermes-backup-kills-')
  const home = join(top, 'home')
  const place = join(top, 'place')
  const file = join(place, 'home.tar.gz')
  mkdirSync(join(home, 'profiles', 'coder', 'workspace'), { recursive: true })
  mkdirSync(place)
  for (let i = 0; i < 40; i++) writeFileSync(join(home, 'profiles', 'coder', 'workspace', `${i}`), randomBytes(100_000))
  writeFileSync(join(home, 'profiles', 'coder', 'workspace', 'large'), randomBytes(6_000_000))

  const writing = spawn(process.execPath, [writer, home], { stdio: ['ignore', 'pipe', 'inherit'] })
  let steps = 0
  writing.stdout.setEncoding('latin1').on('data', (text: string) => {
    steps = Number(text.trimEnd().split('\n').at(-1))
  })
  const looks = { killed: 0, restored: 0, young: 0 }
  try {
    await waitFor('the first steps', () => steps > 2, { deadlineMs: 60_000 })
    const startedAtMs = performance.now()
    expect(await hermes(['backup', '--out', file], { home })).toMatchObject({ code: 0, stderr: '' })
    let tookMs = performance.now() - startedAtMs
    /** Fewest steps that the backup can have: those that were done when it began. */
    let least = 0
    for (let round = 0; looks.killed < KILLS; round++) {
      expect(round, `only ${looks.killed} backups were killed before their end`).toBeLessThan(KILLS * 10)
      if (round % 4 === 0) rmSync(file, { force: true })
      const before = existsSync(file) ? statSync(file).ino : undefined
      const began = steps
      const startedAtMs = performance.now()
      const child = startProgram([program('hermes'), 'backup', '--out', file], { home })
      const ended = once(child, 'exit')
      // One in four ends by itself: it is checked too, and says how long one takes by now.
      if (round % 4 !== 3) {
        await Promise.race([ended, after(Math.random() * tookMs * 1.5)])
        child.kill('SIGKILL')
      }
      await ended
      if (child.signalCode === 'SIGKILL') looks.killed += 1
      else tookMs = performance.now() - startedAtMs

      expect(readdirSync(place).filter((name) => !name.startsWith('.hermes-backup-'))).toEqual(
        existsSync(file) ? ['home.tar.gz'] : [],
      )
      if (!existsSync(file)) continue
      if (statSync(file).ino !== before) {
        least = began
        looks.young += 1
      }
      const to = join(top, 'restored')
      await putBack(file, to)
      const found = stepsOf(to)
      looks.restored += 1
      for (const count of [found.board, found.talk]) expect(count).toBeGreaterThanOrEqual(least)
      // The step in which the writer is may be there before the writer prints it.
      await waitFor('the writer to be so far', () => steps >= Math.max(found.board, found.talk), { deadlineMs: 60_000 })
      rmSync(to, { recursive: true })
    }
    expect(await hermes(['backup', '--out', file], { home })).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(place), 'what the killed ones left is gone').toEqual(['home.tar.gz'])
    expect(readdirSync(home).filter((name) => name.startsWith('.hermes'))).toEqual([])
  } finally {
    writing.kill('SIGKILL')
  }
  expect(looks.restored).toBeGreaterThan(0)
  await putBack(file, join(top, 'last'))
  const { board, talk } = stepsOf(join(top, 'last'))
  expect(board).toBeGreaterThan(2)
  expect(talk).toBeGreaterThan(2)
})
