import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RunTotals } from '../../../src/dashboard/kanban/run-totals.ts'
import type { Board } from '../../../src/kanban/port/board.ts'
import { openBoard } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { steps } from '../../support/kanban/steps.ts'
import { quickDir } from '../../support/quick-dir.ts'

const AT_MS = Date.UTC(2026, 10, 1)
const WHERE = { host: 'here', instance: 'life' }

async function claim(board: Board): Promise<string> {
  const actor = { name: 'tester', wallMs: AT_MS }
  const { id } = (await board.create({ title: 'a task', assignee: 'alpha' }, actor)).task
  await steps(board).claim(id, 'alpha', WHERE, AT_MS)
  return id
}

test('the time of a run is from its claim to its end, whether it began before the first reading or after it', async () => {
  const home = quickDir('hermes-run-totals-')
  const board = await openBoard(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined })
  try {
    const totals = new RunTotals()
    const end = async (id: string, seconds: number) => {
      await board.change('complete', id, {}, { name: 'tester', wallMs: AT_MS + seconds * 1000 })
      // Two scrapes at the same time count nothing twice.
      await Promise.all([totals.read(board), totals.read(board)])
    }
    const earlier = await claim(board)
    await totals.read(board)
    expect(totals.durations).toMatchObject({ runs: 0, sumMs: 0 })
    await end(earlier, 5)
    await end(await claim(board), 45)
    await end(await claim(board), 100_000)
    // The clock was set back.
    await end(await claim(board), -60)
    expect(totals.durations).toMatchObject({ runs: 4, sumMs: 100_050_000 })
    expect(totals.durations.buckets.map(({ le, runs }) => `${le} ${runs}`)).toEqual([
      ...['1 1', '5 2', '30 2', '60 3', '300 3', '900 3', '3600 3', '14400 3', '86400 3', '+Inf 4'],
    ])
  } finally {
    await board.close()
    rmSync(home, { recursive: true, force: true })
  }
})

test('a board that was replaced by another one of its name is counted from there on', async () => {
  const home = quickDir('hermes-run-totals-')
  const boards = await Promise.all(
    ['one', 'two'].map((slug) => openBoard(boardPlace(home, slug), { mode: 'create', warn: () => undefined })),
  )
  const [before, after] = boards as [Board, Board]
  try {
    const totals = new RunTotals()
    await totals.read(before)
    for (let n = 0; n < 3; n++) await before.change('complete', await claim(before), {}, { name: 'me', wallMs: AT_MS })
    await totals.read(before)
    const id = await claim(after)
    await totals.read(after)
    await after.change('complete', id, {}, { name: 'me', wallMs: AT_MS })
    await totals.read(after)
    expect(totals.ended('completed')).toBe(4)
  } finally {
    for (const board of boards) await board.close()
    rmSync(home, { recursive: true, force: true })
  }
})
