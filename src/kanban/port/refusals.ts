/** Refusals that every adapter gives in the same words. */
import { HermesError } from '../../system/errors.ts'

export function noTask(slug: string, id: string): HermesError {
  const next = /^t_[0-9a-f]{8}$/.test(id)
    ? '"hermes kanban list --all" lists the tasks; --board chooses another board'
    : 'use an id such as t_1a2b3c4d; "hermes kanban list" shows them'
  return new HermesError('FAILED', `no task ${JSON.stringify(id.slice(0, 80))} on board "${slug}"`, { next })
}

export const selfLink = (id: string): HermesError =>
  new HermesError('REFUSED', `cannot link ${id} to itself`, {
    next: 'name two different tasks: hermes kanban link PARENT CHILD',
  })

/** @param path from the child to the parent, both named */
export const cycle = (parentId: string, childId: string, path: readonly string[]): HermesError =>
  new HermesError(
    'REFUSED',
    `cannot link ${parentId} -> ${childId}: it would close a cycle: ${[parentId, ...path].join(' -> ')}`,
    { next: '"hermes kanban unlink PARENT CHILD" removes a link' },
  )

export const settingsInFile = (slug: string): HermesError =>
  new HermesError('REFUSED', `the board "${slug}" is in a file; its settings are in config.yaml`, {
    next: 'hermes config set kanban.KEY VALUE',
  })

export const notEmpty = (slug: string): HermesError =>
  new HermesError('REFUSED', `the board "${slug}" is not empty, and an import does not merge; nothing was changed`, {
    next: 'import into a new board: --board SLUG',
  })

export const boardRuns = (slug: string, running: number): HermesError =>
  new HermesError(
    'REFUSED',
    `the board "${slug}" has ${running === 1 ? '1 running task' : `${running} running tasks`}`,
    {
      next: `wait, or take them back: hermes kanban list --board ${slug} --status running`,
    },
  )

export const boardIsThere = (slug: string): HermesError =>
  new HermesError('REFUSED', `the board "${slug}" is there already`, { next: 'choose another name' })

/** When a board was set aside, as a part of its new name. */
export const asideStamp = (wallMs: number): string => new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
