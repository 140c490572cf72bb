/** A board as text, and back, on every adapter. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Board } from '../../../src/kanban/port/board.ts'
import { exportBoard } from '../../../src/kanban/transfer/export.ts'
import { readExport } from '../../../src/kanban/transfer/import.ts'
import { steps } from '../../support/kanban/steps.ts'
import { size } from '../../support/size.ts'
import { waitFor } from '../../support/wait.ts'
import type { ContractScene } from './contract.ts'
import { live, randomHistory } from './random-board.ts'

const actor = { name: 'tester', wallMs: 1_800_000_000_000 }
const WHERE = { host: 'this-host', instance: 'this-life' }

export const exported = (board: Board): Promise<string> =>
  board.snapshot(async (snapshot) => {
    let text = ''
    for await (const piece of exportBoard(snapshot, 'a-board')) text += piece.text
    return text
  })

export async function imported(board: Board, text: string): Promise<void> {
  const reader = await readExport(chunksOf(text), 'the text')
  await board.fill((intake) => reader.into(intake, () => undefined))
}

/** Some bytes at a time, as from a pipe. */
async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += 1000) yield bytes.subarray(from, from + 1000)
}

const crashed = [
  { outcome: 'crashed', failure: true, stop: false, error: 'x' },
  { status: 'ready', failures: 1, pauses: 0, pausedUntilMs: null, autoBlocked: false },
] as const

const daily = {
  name: 'daily',
  cron: '0 9 * * *',
  tz: 'UTC',
  catchUp: 'one',
  task: { title: 'Report \u{1F600}', body: 'line 1\nline 2', assignee: 'alpha', priority: 3 },
} as const

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)

/** A board with a few rows in each table. */
export async function smallBoard(board: Board): Promise<void> {
  const { task: parent } = await board.create({ title: 'parent', assignee: 'alpha' }, actor)
  const { task: child } = await board.create({ title: 'child', assignee: 'alpha', parents: [parent.id] }, actor)
  await board.comment(child.id, 'a word', actor)
  await steps(board).claim(parent.id, 'alpha', WHERE, actor.wallMs)
}

const program = join(import.meta.dirname, '../../support/programs/fills-board.ts')

/** Imports in a process of its own, which dies by KILL when it has printed this line. */
async function killedAt({ address }: ContractScene, text: string, line: string): Promise<void> {
  const env = { ...process.env, DIES_AT: line }
  const child = spawn(process.execPath, [program, ...address], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  // It may be gone before it has read all.
  child.stdin.on('error', () => undefined).end(text)
  let isSeen = false
  for await (const printed of createInterface(child.stdout)) {
    if (printed === line) isSeen = true
  }
  await ended
  expect(isSeen, `it printed ${line}`).toBe(true)
}

/** @param open makes an empty board */
export function transferContract(name: string, open: () => Promise<ContractScene>): void {
  describe(`a board in ${name} as text`, () => {
    test('is the same after an import, whatever has happened on it', { timeout: size(120_000, 0) }, async () => {
      await fc.assert(
        fc.asyncProperty(randomHistory, async (history) => {
          await using from = await open()
          await using to = await open()
          await live(from.board, history)
          const text = await exported(from.board)
          await imported(to.board, text)
          expect(await exported(to.board)).toBe(text)
          for (const { id } of await from.board.list({ statuses: ['todo', 'ready', 'running'], limit: 100 }))
            expect((await to.board.require(id)).openParents).toBe((await from.board.require(id)).openParents)
        }),
        { numRuns: size(12, 500) },
      )
    })

    test('has its routines, and a time that has made its task makes no second one', async () => {
      await using from = await open()
      await using to = await open()
      await smallBoard(from.board)
      const without = await exported(from.board)
      expect(without).not.toContain('routine')
      await from.board.addRoutine(daily, actor)
      await from.board.addRoutine({ ...daily, name: 'paused' }, actor)
      await from.board.changeRoutine('paused', { isPaused: true }, actor.wallMs)
      const settledUntilMs = actor.wallMs * 2
      await from.board.changeRoutine('daily', { settledUntilMs }, actor.wallMs)
      const text = await exported(from.board)
      expect(linesOf(text).filter((line) => line.startsWith('{"routine"'))).toHaveLength(2)
      expect(text).toMatch(/"routines":2,"sha256"/)
      await imported(to.board, text)
      expect(await exported(to.board)).toBe(text)
      expect(await to.board.routines()).toEqual(await from.board.routines())
      expect(await to.board.routines()).toMatchObject([
        { ...daily, isPaused: false, settledUntilMs },
        { name: 'paused', isPaused: true },
      ])
      await expect(imported(to.board, without)).rejects.toMatchObject({ code: 'REFUSED' })
    })

    test('a board with nothing but a routine is not empty, and a routine that hermes did not make is refused', async () => {
      await using from = await open()
      await using to = await open()
      await from.board.addRoutine(daily, actor)
      const text = await exported(from.board)
      await expect(imported(from.board, text)).rejects.toMatchObject({ code: 'REFUSED' })
      const empty = await exported(to.board)
      const [header, line = '', ...rest] = text.split('\n')
      const { routine } = JSON.parse(line) as { routine: Readonly<Record<string, unknown>> }
      for (const change of [{ catch_up: 'two' }, { name: '../daily' }, { task: '{' }, { task: 'null' }]) {
        const wrong = [header, JSON.stringify({ routine: { ...routine, ...change } }), ...rest].join('\n')
        await expect(imported(to.board, wrong)).rejects.toMatchObject({
          code: 'FAILED',
          message: expect.stringMatching(/line 2: the routine ".*daily" is not one that hermes makes/),
        })
      }
      expect(await exported(to.board)).toBe(empty)
    })

    test('goes on counting where it stopped, also behind numbers whose rows are gone', async () => {
      await using from = await open()
      await using to = await open()
      await smallBoard(from.board)
      const tasks = await from.board.list({ statuses: ['running', 'todo'], limit: 10 })
      for (const operation of ['complete', 'archive'] as const)
        for (const { id } of tasks) await from.board.change(operation, id, {}, actor)
      expect(await from.board.removeArchived(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(2)
      await from.board.create({ title: 'the third', assignee: 'alpha' }, actor)
      await imported(to.board, await exported(from.board))
      const { task } = await to.board.create({ title: 'the fourth', assignee: 'alpha' }, actor)
      expect(task.seq).toBe(4)
      expect((await steps(to.board).claim(task.id, 'alpha', WHERE, actor.wallMs))?.runId).toBe(2)
    })

    test('an import into a board with rows is refused, and the board stays as it was', async () => {
      await using from = await open()
      await using to = await open()
      await smallBoard(from.board)
      await to.board.create({ title: 'mine' }, actor)
      const before = await exported(to.board)
      await expect(imported(to.board, await exported(from.board))).rejects.toMatchObject({
        code: 'REFUSED',
        message: expect.stringContaining('is not empty'),
      })
      expect(await exported(to.board)).toBe(before)
    })

    test('a text that was changed, cut off or put in another order leaves the board empty', async () => {
      await using from = await open()
      await using to = await open()
      const empty = await exported(to.board)
      await smallBoard(from.board)
      const text = await exported(from.board)
      const lines = linesOf(text)
      const joined = (some: readonly string[]): string => some.map((line) => `${line}\n`).join('')
      const damaged: readonly (readonly [string, string, RegExp])[] = [
        ['without its last line', joined(lines.slice(0, -1)), /cut off/],
        ['cut in a line', text.slice(0, -20), /cut off/],
        ['without a line', joined(lines.filter((line) => !line.startsWith('{"comment"'))), /0 comments instead of 1/],
        ['with another word', text.replace('a word', 'a lord'), /checksum/],
        ['with another count', text.replace(/"last":\{"tasks":2/, '"last":{"tasks":1'), /checksum/],
        ['in another order', joined([lines[0] ?? '', ...lines.slice(1, -1).reverse(), lines.at(-1) ?? '']), /order/],
        [
          'without a task',
          joined(lines.filter((line) => !line.includes('"parent"') || line.startsWith('{"link"'))),
          /./,
        ],
        ['with a second header', joined([...lines.slice(0, 2), lines[0] ?? '', ...lines.slice(2)]), /second board/],
        ['with a line behind the last', `${text}${lines[1]}\n`, /follows the last/],
        ['with a text for a number', text.replace('"priority":0', '"priority":"0"'), /"priority" of the task is "0"/],
        ['with a path for an id', text.replace(/"id":"t_\w+"/, '"id":"../x"'), /cannot be the id of a task/],
      ]
      for (const [what, wrong, message] of damaged) {
        expect(wrong, what).not.toBe(text)
        await expect(imported(to.board, wrong), what).rejects.toMatchObject({
          code: 'FAILED',
          message: expect.stringMatching(message),
        })
        expect(await exported(to.board), what).toBe(empty)
      }
      await imported(to.board, text)
      expect(await exported(to.board)).toBe(text)
    })

    test('an import that is killed leaves the board empty or whole', { timeout: 180_000 }, async () => {
      await using from = await open()
      const { task } = await from.board.create({ title: 'x' }, actor)
      for (let n = 0; n < 300; n++) await from.board.comment(task.id, `comment ${n}`, actor)
      const text = await exported(from.board)
      for (const atRow of [100, 500, 600, 'done']) {
        await using to = await open()
        const empty = await exported(to.board)
        await killedAt(to, text, `${atRow}`)
        // A server ends the transaction when it notices that its client has gone.
        const found = await waitFor('the board to be free', async () => {
          const now = await exported(to.board)
          if (now === empty) await imported(to.board, text)
          return now
        })
        expect([empty, text]).toContain(found)
        expect(found === text).toBe(atRow === 'done')
        expect(await exported(to.board)).toBe(text)
      }
    })

    test('is one view: nothing in it is younger than its first row', async () => {
      await using from = await open()
      await smallBoard(from.board)
      const before = await exported(from.board)
      const writer = await from.another()
      const during = await from.board.snapshot(async (snapshot) => {
        let text = ''
        for await (const piece of exportBoard(snapshot, 'a-board')) {
          text += piece.text
          if (piece.rows > 0) await writer.create({ title: 'younger' }, actor)
        }
        return text
      })
      const rows = (text: string): string[] => linesOf(text).slice(0, -2)
      expect(rows(during)).toEqual(rows(before))
    })

    test('a board that has moved refuses every change, also of one that has it open, until its seal is broken', async () => {
      await using scene = await open()
      const { board } = scene
      await smallBoard(board)
      await board.addRoutine(daily, actor)
      const [running] = await board.running()
      if (running === undefined) throw new Error('nothing runs')
      const text = await exported(board)
      const other = await scene.another()
      expect(await other.statusCounts()).toEqual({ running: 1, todo: 1 })
      const boardIsIn = { kind: 'moved', place: 'the place' } as const
      await board.moveOut('the place', async () => undefined)
      expect(await other.seal()).toEqual(boardIsIn)
      const id = running.id
      for (const change of [
        () => other.create({ title: 'x' }, actor),
        () => other.comment(id, 'x', actor),
        () => other.change('heartbeat', id, {}, { ...actor, runId: running.run_id ?? 0 }),
        () => other.change('complete', id, {}, actor),
        () => other.addRoutine({ ...daily, name: 'another' }, actor),
        () => other.changeRoutine('daily', { isPaused: true }, actor.wallMs),
        () => other.removeRoutine('daily'),
        () => steps(other).extendClaim(running, actor.wallMs),
        () => steps(other).endRun(running, ...crashed, actor.wallMs),
      ])
        await expect(change(), String(change)).rejects.toThrow(/this board has moved/)
      expect(await exported(other)).toBe(text)
      await expect(scene.another()).rejects.toMatchObject({ message: expect.stringMatching(/has moved to the place/) })
      await board.unseal()
      expect(await other.seal()).toBeUndefined()
      await (await scene.another()).comment(id, 'x', actor)
      expect(await other.removeRoutine('daily')).toBe(true)
    })

    test('a move that fails leaves the board in use', async () => {
      await using scene = await open()
      await smallBoard(scene.board)
      const failing = scene.board.moveOut('the place', async () => {
        throw new Error('no room there')
      })
      await expect(failing).rejects.toThrow('no room there')
      expect(await scene.board.seal()).toBeUndefined()
      await (await scene.another()).create({ title: 'x' }, actor)
    })
  })
}
