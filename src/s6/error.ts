/** s6's exit codes, with a line for people. */
export class S6Error extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.name = 'S6Error'
    this.exitCode = exitCode
  }
}

/** @see https://skarnet.org/software/s6/s6-svc.html and its neighbours, "Exit codes" */
export const exitCodes = {
  done: 0,
  /** Not supervised; or what was waited for will not come. */
  no: 1,
  timedOut: 99,
  usage: 100,
  /** No process reads the control FIFO. */
  noListener: 100,
  system: 111,
} as const

export const systemError = (what: string, error: unknown): S6Error =>
  error instanceof S6Error
    ? error
    : new S6Error(exitCodes.system, `${what}: ${error instanceof Error ? error.message : String(error)}`)

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
