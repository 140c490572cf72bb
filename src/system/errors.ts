/** Exit codes of every `hermes` program: an interface, listed in docs/exit-codes.md and tested against that page. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  noSuch: 3,
  noSupervisor: 4,
  timedOut: 5,
  /** EX_TEMPFAIL: the service requests an immediate restart. */
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
 * Details within a code that callers distinguish. They are optional so that the codes stay those that older clients
 * know: while an installation is being replaced, the supervisor and its clients may have different versions.
 */
export type ErrorDetail =
  /** FAILED: the job is over and has no result to give. */
  | 'NO_RESULT'
  /** FAILED: the job was stopped before it ran. */
  | 'STOPPED_BEFORE_RUN'
  /** FAILED: the connection ended before the reply. */
  | 'REPLY_LOST'
  /** FAILED: a bug in the supervisor. */
  | 'INTERNAL'
  /** TIMED_OUT: the boot waits for the program that asked, so this program cannot wait for the boot. */
  | 'BOOTING'
  /** REFUSED: the job was claimed under a lease of the node that is over. */
  | 'LEASE_OVER'
  /** FAILED: the board's database does not answer, or refuses; it may answer later. */
  | 'NO_DATABASE'
  /** FAILED: another node cannot be asked; its dashboard may answer later. */
  | 'NO_NODE'

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
 * An expected failure: one line says what happened and where, one line says what to do next. Any other exception is a
 * bug and keeps its stack.
 */
export class HermesError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail | undefined
  readonly next: string | undefined
  readonly exitCode: ExitCode

  /**
   * Compares by name: a program loads others as separate bundles (hermes -> cli), and each contains a copy of this
   * class.
   */
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

/** Tells whether a text, for instance from a newer supervisor, is a code that this program knows. */
export const isErrorCode = (text: unknown): text is ErrorCode =>
  typeof text === 'string' && Object.hasOwn(exitCodeOf, text)

/** The message and the next step, in one line. */
export const errorLine = ({ message, next }: HermesError): string =>
  next === undefined ? message : `${message}; ${next}`
