import { describe, expect, test } from 'vitest'
import { COLUMNS, mayMove, nextFocus, nextTarget } from '../../../src/dashboard/web/core/board-moves.ts'
import { type Operation, target } from '../../../src/kanban/operations.ts'
import { STATUSES, type Status } from '../../../src/kanban/task.ts'

/** Moves that the board allows without further input, such as a time to schedule for or a profile to reassign to. */
function allowedByTheBoard(from: Status): Status[] {
  const operations: readonly Operation[] = ['promote', 'unblock', 'reclaim', 'block', 'complete', 'archive']
  const reached = operations.flatMap((operation) => {
    try {
      return [target(operation, { id: 't_1', status: from, openParents: 0 })]
    } catch {
      return [] // refused from this status
    }
  })
  return STATUSES.filter((status) => reached.includes(status))
}

describe('a card may go where the board lets it', () => {
  test.each(STATUSES)('from %s', (from) => {
    const byThePage = STATUSES.filter((to) => mayMove(from, to))
    expect(byThePage).toEqual(allowedByTheBoard(from))
  })
})

test('a lifted card passes over columns it may not go to, and comes back to its own', () => {
  expect(nextTarget('todo', 'todo', 1)).toBe('ready')
  expect(nextTarget('todo', 'ready', 1)).toBe('blocked')
  expect(nextTarget('todo', 'ready', -1)).toBe('todo')
  expect(nextTarget('ready', 'ready', -1)).toBe('ready')
  expect(nextTarget('ready', 'done', 1)).toBe('done')
})

test('every status but the archived ones has a column', () => {
  expect([...COLUMNS].sort()).toEqual(STATUSES.filter((status) => status !== 'archived').sort())
})

describe('the focus', () => {
  const columns = [['a', 'b', 'c'], [], ['d'], ['e', 'f']]
  test.each([
    ['b', 'ArrowUp', 'a'],
    ['a', 'ArrowUp', 'a'],
    ['b', 'ArrowDown', 'c'],
    ['c', 'ArrowDown', 'c'],
    ['a', 'End', 'c'],
    ['c', 'Home', 'a'],
    ['b', 'ArrowRight', 'd'],
    ['d', 'ArrowLeft', 'a'],
    ['d', 'ArrowRight', 'e'],
    ['f', 'ArrowRight', 'f'],
    ['a', 'ArrowLeft', 'a'],
  ] as const)('from %s with %s goes to %s: empty columns are passed over', (from, key, to) => {
    expect(nextFocus(columns, from, key)).toBe(to)
  })
  test('of a card that is gone leads nowhere', () => {
    expect(nextFocus(columns, 'z', 'ArrowUp')).toBeUndefined()
  })
})
