import type { EXIT } from '../system/errors.ts'

/** Meaning of each exit code, for docs/exit-codes.md and the manual. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'done',
  failed: 'failed; standard error names the cause, the place and the next step',
  usage: 'the command line is wrong; nothing was done',
  noSuch: 'no such profile or slot',
  noSupervisor: 'the supervisor is not running',
  timedOut: 'the slot did not reach the state in time; it may still do so',
  restartMe: 'from a service: requests an immediate restart; not counted as a death if the service had been up',
  configuration: 'from a service: its configuration is wrong; its slot is parked until it is started by a command',
  permanentFailure: 'from a service or its finish program: do not start it again; its slot is parked',
  cannotExecute: 'root could not become the runtime user, so nothing ran; or a program could not be executed',
  notFound: 'the install, or the program to run, is missing',
}
