import { expect, test } from 'vitest'
import type { Board } from '../../../src/kanban/port/board.ts'
import type { Boards } from '../../../src/kanban/port/boards.ts'
import { DatabaseWatch } from '../../../src/kanban/watch/database-watch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

/** Boards whose versions the test sets; undefined: the database is away. */
function watched() {
  const clock = fakeClock()
  const state: { versions: Readonly<Record<string, number>> | undefined; asked: number } = { versions: {}, asked: 0 }
  const boards: Pick<Boards, 'list' | 'open' | 'problem'> = {
    async list() {
      state.asked += 1
      if (state.versions === undefined) throw new Error('away')
      return Object.keys(state.versions).map((slug) => ({ slug }))
    },
    open: async ({ slug }) =>
      ({ version: async () => state.versions?.[slug], close: async () => undefined }) as unknown as Board,
    problem: (error) => error,
  }
  return { clock, state, watch: new DatabaseWatch(boards, clock) }
}

test('a board that was written, made or removed since the last look is named, once', async () => {
  const { clock, state, watch } = watched()
  const look = async (versions: Readonly<Record<string, number>>) => {
    state.versions = versions
    clock.advance(1000)
    return watch.look()
  }
  expect(await look({ default: 1, side: 5 })).toEqual([])
  expect(await look({ default: 2, side: 5 })).toEqual(['default'])
  expect(await look({ default: 2, side: 5 })).toEqual([])
  expect(await look({ default: 2, more: 1 })).toEqual(['more', 'side'])
})

test('the database is asked once a second at most, and every five seconds while it is away', async () => {
  const { clock, state, watch } = watched()
  for (let look = 0; look < 40; look++) {
    await watch.look()
    clock.advance(250)
  }
  expect(state.asked).toBe(10)
  state.versions = undefined
  for (let look = 0; look < 40; look++) {
    await watch.look()
    clock.advance(250)
  }
  expect(state.asked).toBe(12)
})

test('pages ask for their boards when the database goes away, and again when it is back', async () => {
  const { clock, state, watch } = watched()
  state.versions = { default: 1 }
  await watch.look()
  state.versions = undefined
  clock.advance(5000)
  expect(await watch.look()).toEqual(['default'])
  clock.advance(5000)
  expect(await watch.look()).toEqual([])
  state.versions = { default: 1 }
  clock.advance(5000)
  expect(await watch.look()).toEqual(['default'])
})
