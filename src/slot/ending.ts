/** Meaning of a process's end, as far as its exit code or signal shows it (docs/slots.md, "What an exit means"). */
import { EXIT } from '../system/errors.ts'
import { SIGNALS, type SignalName } from '../system/signals.ts'

/** How a process ended: facts from wait(2), one or the other. */
export type Ending = { readonly exitCode: number } | { readonly signal: SignalName }

/** `exited with code 1`, `was killed by SIGKILL`. */
export const describeEnding = (ending: Ending): string =>
  'exitCode' in ending ? `exited with code ${ending.exitCode}` : `was killed by SIG${ending.signal}`

/** The slot's own script found no program to run, or did not get a secret for it. */
export type NotRun = NoProgram | NoSecret
export interface NoProgram {
  readonly code: 'NOT_FOUND' | 'NOT_EXECUTABLE'
  readonly program: string
}
export interface NoSecret {
  readonly code: 'NO_SECRET'
  /** Its name and what is wrong: `TOKEN: op read x exited with 1`. */
  readonly problem: string
}

/** Exit codes of that script: the same as a shell's. */
export const NOT_RUN_CODES = {
  NOT_FOUND: EXIT.notFound,
  NOT_EXECUTABLE: EXIT.cannotExecute,
  NO_SECRET: EXIT.cannotExecute,
} as const

/** `"nosuch" was not found (exit code 127)`, `did not get its secret TOKEN: …`. */
export function describeNotRun(notRun: NotRun): string {
  if (notRun.code === 'NO_SECRET') return `did not get its secret ${notRun.problem}`
  const { code, program } = notRun
  return `"${program}" ${code === 'NOT_FOUND' ? 'was not found' : 'is not executable'} (exit code ${NOT_RUN_CODES[code]})`
}

const exitedWith = (ending: Ending, code: number): boolean => 'exitCode' in ending && ending.exitCode === code

export const isSuccess = (ending: Ending): boolean => exitedWith(ending, EXIT.done)
export const asksForRestart = (ending: Ending): boolean => exitedWith(ending, EXIT.restartMe)
export const isPermanentFailure = (ending: Ending): boolean => exitedWith(ending, EXIT.permanentFailure)

/** Reason why no restart can help after this end; undefined: one might. */
export function permanentReason(ending: Ending): string | undefined {
  if (exitedWith(ending, EXIT.configuration)) return `${describeEnding(ending)}: its configuration is wrong`
  if (isPermanentFailure(ending)) return `${describeEnding(ending)}: it asks not to be started again`
  return undefined
}

/** The exit code that a shell would report: 128+n if signal n ended the process. */
export const shellCode = (ending: Ending): number =>
  'exitCode' in ending ? ending.exitCode : 128 + SIGNALS[ending.signal]
