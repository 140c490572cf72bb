/** The operations that people and workers may perform on a task, and the resulting status, as one table. */
import { HermesError } from '../system/errors.ts'
import { isClosed, readyOrTodo, type Status } from './task.ts'

export type Operation =
  | 'assign'
  | 'reassign'
  | 'promote'
  | 'schedule'
  | 'block'
  | 'unblock'
  | 'complete'
  | 'request-changes'
  | 'archive'
  | 'reclaim'
  | 'heartbeat'

/** The facts that decide about an operation. */
export interface Subject {
  readonly id: string
  readonly status: Status
  readonly openParents: number
}

const open: readonly Status[] = ['triage', 'todo', 'scheduled', 'ready', 'blocked', 'review']

interface Rule {
  readonly from: readonly Status[]
  readonly to: (subject: Subject) => Status
  /** The alternative to suggest, by status. */
  readonly instead?: Partial<Record<Status, (id: string) => string>>
}

const keep = ({ status }: Subject): Status => status
const startable = ({ openParents }: Subject): Status => readyOrTodo(openParents)
const reclaimFirst = (id: string): string => `take it back from its worker first: hermes kanban reclaim ${id}`

const RULES: { readonly [O in Operation]: Rule } = {
  assign: {
    from: open,
    to: (subject) => (subject.status === 'triage' ? startable(subject) : subject.status),
    instead: { running: (id) => `take it from its worker: hermes kanban reassign ${id} PROFILE` },
  },
  reassign: {
    from: [...open, 'running'],
    to: (subject) =>
      subject.status === 'triage' || subject.status === 'running' ? startable(subject) : subject.status,
  },
  promote: {
    from: ['triage', 'todo', 'scheduled', 'review'],
    to: startable,
    instead: { blocked: (id) => `hermes kanban unblock ${id}`, running: reclaimFirst },
  },
  schedule: {
    from: ['triage', 'todo', 'scheduled', 'ready'],
    to: () => 'scheduled',
    instead: { running: reclaimFirst },
  },
  block: { from: [...open.filter((status) => status !== 'blocked'), 'running'], to: () => 'blocked' },
  unblock: { from: ['blocked'], to: startable },
  complete: { from: [...open, 'running'], to: () => 'done' },
  'request-changes': {
    from: ['review'],
    to: startable,
    instead: {
      running: (id) => `leave a comment for its next worker: hermes kanban comment ${id} TEXT`,
      done: (id) => `create a task that follows it: hermes kanban create TITLE --parent ${id}`,
    },
  },
  archive: { from: [...open, 'done'], to: () => 'archived', instead: { running: reclaimFirst } },
  reclaim: { from: ['running'], to: startable },
  heartbeat: { from: ['running'], to: keep },
}

/**
 * Returns the status that an operation leads to.
 * @throws HermesError REFUSED: not from this status, or unfinished parents hold the task back
 */
export function target(operation: Operation, subject: Subject): Status {
  const { id, status, openParents } = subject
  const rule = RULES[operation]
  if (!rule.from.includes(status)) {
    throw new HermesError('REFUSED', `cannot ${operation} ${id}: it is ${status}`, {
      next: rule.instead?.[status]?.(id) ?? `possible from: ${rule.from.join(', ')}`,
    })
  }
  const to = rule.to(subject)
  if (operation === 'promote' && status === 'todo' && to === 'todo') {
    throw new HermesError(
      'REFUSED',
      `cannot promote ${id}: ${openParents} of its parents ${openParents === 1 ? 'is' : 'are'} not done`,
      {
        next: `hermes kanban why ${id} names them; hermes kanban unlink PARENT ${id} lets it go without`,
      },
    )
  }
  return to
}

/** The statuses from which an operation is possible. */
export const possibleFrom = (operation: Operation): readonly Status[] => RULES[operation].from

/** A success and an unblock, and nothing else, set the failures in a row to 0. */
export const forgivesFailures = (operation: Operation): boolean => operation === 'unblock' || operation === 'complete'

/** Another profile has another quota: a new assignee need not wait for the old one's. */
export const endsPause = (operation: Operation): boolean =>
  forgivesFailures(operation) || operation === 'assign' || operation === 'reassign'

/**
 * Returns the status of the child of a new link.
 * @throws HermesError REFUSED when the child has already begun
 */
export function linkedChild(child: Subject, parent: Subject): Status {
  if (child.status === 'running' || isClosed(child.status)) {
    throw new HermesError('REFUSED', `cannot link ${parent.id} -> ${child.id}: ${child.id} is ${child.status}`, {
      next: 'only a task that has not begun can wait for another',
    })
  }
  return child.status === 'ready' && !isClosed(parent.status) ? 'todo' : child.status
}
