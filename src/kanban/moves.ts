import { HermesError } from '../system/errors.ts'
import type { Operation, Subject } from './operations.ts'
import type { Status } from './task.ts'

/**
 * The operation that takes a task to a column of the board; undefined: it stands there already.
 * @throws HermesError REFUSED: no operation leads there
 */
export function moveTo({ id, status }: Subject, to: Status): Operation | undefined {
  if (status === to) return undefined
  switch (to) {
    case 'blocked':
      return 'block'
    case 'done':
      return 'complete'
    case 'archived':
      return 'archive'
    case 'ready':
    case 'todo':
      // Which of the two it becomes, its parents decide.
      if (status === 'blocked') return 'unblock'
      return status === 'running' ? 'reclaim' : 'promote'
    case 'triage':
    case 'scheduled':
    case 'running':
    case 'review':
      throw new HermesError('REFUSED', `cannot move ${id} from ${status} to ${to}`, { next: INSTEAD[to](id) })
  }
}

const INSTEAD = {
  triage: () => 'a promoted task cannot go back to triage; "hermes kanban create --triage" creates a new one',
  scheduled: (id: string) => `hermes kanban schedule ${id} --at TIME`,
  running: () => 'the dispatcher starts it when it is ready and its turn comes',
  review: () => 'with kanban.require_review, a finished task goes there',
}
