/** Why a board accepts no changes. */
import { HermesError } from '../../system/errors.ts'

export interface Seal {
  /** `moved`: to that place. `copying`: from that place, and the copy is not in use yet. */
  readonly kind: 'moved' | 'copying'
  /** As `Boards.where` names it. */
  readonly place: string
}

/** @param kept where this board is, as `Boards.kept` says it */
export const sealedBoard = (slug: string, seal: Seal, kept: 'files' | 'database'): HermesError =>
  seal.kind === 'moved'
    ? new HermesError('REFUSED', `the board "${slug}" has moved to ${seal.place}`, {
        next:
          kept === 'files'
            ? 'set HERMES_KANBAN_DATABASE to use it there'
            : 'unset HERMES_KANBAN_DATABASE to use it there',
      })
    : new HermesError('REFUSED', `the board "${slug}" is being copied from ${seal.place}`, {
        next: 'wait for "hermes kanban migrate"; if it was interrupted, run it again',
      })
