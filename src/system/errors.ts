/** Exit codes of every `hermes` program: an interface, listed in docs/exit-codes.md and tested against that page. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  noSuch: 3,
  noSupervisor: 4,
  timedOut: 5,
  /** "Restart me": the service asks for a new start at once (EX_TEMPFAIL). */
  restartMe: 75,
  /** The configuration is wrong; the slot is parked (EX_CONFIG). */
  configuration: 78,
  /** A service that must not be started again; the slot is parked (s6's permanent failure). */
  permanentFailure: 125,
  cannotExecute: 126,
  notFound: 127,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Stable codes that callers, scripts and tests branch on; they also travel over the control socket. */
export type ErrorCode =
  | 'BAD_REQUEST'
  | 'BAD_NAME'
  | 'EXISTS'
  | 'FAILED'
  | 'NO_SUCH_PROFILE'
  | 'NO_SUCH_SLOT'
  | 'NO_SUPERVISOR'
  | 'PARKED'
  | 'REFUSED'
  | 'STOPPING'
  | 'TIMED_OUT'
  | 'USAGE'
  | 'VOLUME_BUSY'

/**
 * What callers branch on within a code. Optional, so that the code stays what older clients know: the supervisor and what talks to it
 * may be of two versions while an installation is being replaced.
 */
export type ErrorDetail =
  /** FAILED: the job is over and has no result to give. */
  | 'NO_RESULT'
  /** FAILED: likewise, because it was stopped before it ran. */
  | 'STOPPED_BEFORE_RUN'
  /** FAILED: the connection ended before the reply. */
  | 'REPLY_LOST'
  /** FAILED: a bug in the supervisor. */
  | 'INTERNAL'

const exitCodeOf: Readonly<Record<ErrorCode, ExitCode>> = {
  BAD_REQUEST: EXIT.failed,
  BAD_NAME: EXIT.failed,
  EXISTS: EXIT.failed,
  FAILED: EXIT.failed,
  NO_SUCH_PROFILE: EXIT.noSuch,
  NO_SUCH_SLOT: EXIT.noSuch,
  NO_SUPERVISOR: EXIT.noSupervisor,
  PARKED: EXIT.failed,
  REFUSED: EXIT.failed,
  STOPPING: EXIT.failed,
  TIMED_OUT: EXIT.timedOut,
  USAGE: EXIT.usage,
  VOLUME_BUSY: EXIT.failed,
}

/**
 * A failure that was foreseen: one line that says what happened and where, and one that says what to do next.
 * Anything else that is thrown is a bug and keeps its stack.
 */
export class HermesError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail | undefined
  readonly next: string | undefined
  readonly exitCode: ExitCode

  /** Known by its name: one program loads another as a bundle of its own (hermes -> cli), and each holds a copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'HermesError'
  }

  constructor(
    code: ErrorCode,
    message: string,
    options: { detail?: ErrorDetail; next?: string; exitCode?: ExitCode; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HermesError'
    this.code = code
    this.detail = options.detail
    this.next = options.next
    this.exitCode = options.exitCode ?? exitCodeOf[code]
  }
}

/** Whether a text, for instance from a newer supervisor, is a code that this program knows. */
export const isErrorCode = (text: unknown): text is ErrorCode =>
  typeof text === 'string' && Object.hasOwn(exitCodeOf, text)
