/** Columns that a card may move to, and the focus on the board. The server decides (src/kanban/operations.ts). */
import type { Task } from '../../contract/board.ts'

export type Status = Task['status']

/** Columns, in the order of a task's life; archived tasks are out of sight. */
export const COLUMNS = ['triage', 'todo', 'scheduled', 'ready', 'running', 'review', 'blocked', 'done'] as const
export type Column = (typeof COLUMNS)[number]

const TARGETS: Readonly<Record<Status, readonly Status[]>> = {
  triage: ['ready', 'blocked', 'done', 'archived'],
  todo: ['ready', 'blocked', 'done', 'archived'],
  scheduled: ['ready', 'blocked', 'done', 'archived'],
  ready: ['blocked', 'done', 'archived'],
  running: ['ready', 'blocked', 'done'],
  review: ['ready', 'blocked', 'done', 'archived'],
  blocked: ['ready', 'done', 'archived'],
  done: ['archived'],
  archived: [],
}

export const targetsOf = (status: Status): readonly Status[] => TARGETS[status]
export const mayMove = (from: Status, to: Status): boolean => TARGETS[from].includes(to)

/** Name of the move on a button and for the command line. */
export function moveName(from: Status, to: Status): string {
  if (to === 'done') return 'Complete'
  if (to === 'blocked') return 'Block'
  if (to === 'archived') return 'Archive'
  if (from === 'running') return 'Take back'
  return from === 'blocked' ? 'Unblock' : 'Promote'
}

/**
 * The column that a lifted card goes to with one press of an arrow key.
 * @param at the column it hovers over, or its own
 * @returns the same when there is none further in that direction
 */
export function nextTarget(from: Status, at: Status, direction: -1 | 1): Status {
  const order: readonly Status[] = COLUMNS
  for (let index = order.indexOf(at) + direction; index >= 0 && index < order.length; index += direction) {
    const column = order[index]
    if (column !== undefined && (column === from || mayMove(from, column))) return column
  }
  return at
}

export type FocusKey = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight' | 'Home' | 'End'
export const isFocusKey = (key: string): key is FocusKey => /^(?:Arrow(?:Up|Down|Left|Right)|Home|End)$/.test(key)

/**
 * The card that has the focus after a key.
 * @param columns ids of cards, column by column
 * @returns the same id at an edge; undefined when `id` is not on the board
 */
export function nextFocus(columns: readonly (readonly string[])[], id: string, key: FocusKey): string | undefined {
  const column = columns.findIndex((cards) => cards.includes(id))
  const cards = columns[column]
  if (cards === undefined) return undefined
  const row = cards.indexOf(id)
  switch (key) {
    case 'Home':
      return cards[0]
    case 'End':
      return cards.at(-1)
    case 'ArrowUp':
      return cards[row - 1] ?? id
    case 'ArrowDown':
      return cards[row + 1] ?? id
  }
  const step = key === 'ArrowLeft' ? -1 : 1
  for (let other = column + step; other >= 0 && other < columns.length; other += step) {
    const next = columns[other]
    if (next !== undefined && next.length > 0) return next[Math.min(row, next.length - 1)]
  }
  return id
}
