/**
 * How programs that do not know the database's address use its boards: the dispatcher does it for them. Over its socket
 * go lines of JSON, a {@link ServedRequest} and its {@link ServedAnswer}, in any order.
 */
import { type ErrorCode, type ErrorDetail, type ExitCode, HermesError, isErrorCode } from '../../system/errors.ts'
import type { Board } from '../port/board.ts'
import type { OpenBoardOptions } from '../port/boards.ts'

/** Methods that work on the other side as they are: their arguments and results are JSON. */
export const SERVED_METHODS = [
  'find',
  'require',
  'list',
  'overview',
  'details',
  'parents',
  'runs',
  'handover',
  'events',
  'eventsTail',
  'statusCounts',
  'runningByAssignee',
  'readyByAssignee',
  'create',
  'change',
  'link',
  'unlink',
  'comment',
  'edit',
  'remove',
  'removeArchived',
  'facts',
  'write',
  'running',
  'promotable',
  'waitingChildren',
  'ready',
  'attempt',
  'taskOfSlot',
  'nodes',
  'nodesOf',
  'registerProfiles',
  'attachments',
  'routines',
  'addRoutine',
  'changeRoutine',
  'removeRoutine',
  'settings',
  'set',
  'version',
] as const satisfies readonly (keyof Board)[]
export type ServedMethod = (typeof SERVED_METHODS)[number]

interface OnBoard {
  readonly id: number
  readonly board: string
}

export type ServedRequest =
  /** The names of all boards. */
  | { readonly id: number; readonly ask: 'boards' }
  | { readonly id: number; readonly ask: 'nodes' }
  /** For profiles of the dispatcher's own node. */
  | { readonly id: number; readonly ask: 'move'; readonly step: 'look' | 'begin' | 'cancel'; readonly profile: string }
  | (OnBoard & { readonly ask: 'rename'; readonly to: string })
  | (OnBoard & { readonly ask: 'set-aside' })
  /** Whether it can be opened; with `create`, it exists afterwards. */
  | (OnBoard & { readonly ask: 'open'; readonly mode: OpenBoardOptions['mode'] })
  | (OnBoard & {
      readonly ask: 'call'
      readonly mode: OpenBoardOptions['mode']
      readonly method: ServedMethod
      /** By position, because JSON has no undefined. */
      readonly args: Readonly<Record<number, unknown>>
      readonly count: number
    })
  /** The wall clock of the board. */
  | (OnBoard & { readonly ask: 'time'; readonly mode: OpenBoardOptions['mode'] })
  /** Holds the ticks until this connection ends. The answer is whether they are held. */
  | (OnBoard & { readonly ask: 'hold'; readonly waitMs: number })

export interface ServedAnswer {
  readonly id: number
  readonly result?: unknown
  /** Lines about the board that do not keep it from being used. */
  readonly warnings?: readonly string[]
  readonly error?: ServedError
}

export interface ServedError {
  readonly code: ErrorCode
  readonly message: string
  readonly detail?: ErrorDetail
  readonly next?: string
  readonly exitCode: ExitCode
  /** SQLSTATE or errno of the cause, by which the kind of trouble is known. */
  readonly cause?: string
}

export const servedError = (error: HermesError): ServedError => {
  const { code, message, detail, next, exitCode, cause } = error
  const reason = (cause as { code?: unknown } | undefined)?.code
  return {
    code,
    message,
    exitCode,
    ...(detail !== undefined && { detail }),
    ...(next !== undefined && { next }),
    ...(typeof reason === 'string' && { cause: reason }),
  }
}

/** The same error, on the side of the caller. */
export function errorOf({ code, message, cause, ...rest }: ServedError): HermesError {
  const reason = cause === undefined ? {} : { cause: Object.assign(new Error(message), { code: cause }) }
  return new HermesError(isErrorCode(code) ? code : 'FAILED', message, { ...rest, ...reason })
}
