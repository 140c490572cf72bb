/** What the end of a process means, as far as its exit code or signal says (docs/slots.md, "What an exit means"). */
import { EXIT } from '../system/errors.ts'
import { SIGNALS, type SignalName } from '../system/signals.ts'

/** How a process ended: facts from wait(2), one or the other. */
export type Ending = { readonly exitCode: number } | { readonly signal: SignalName }

/** `exited with code 1`, `was killed by SIGKILL`. */
export const describeEnding = (ending: Ending): string =>
  'exitCode' in ending ? `exited with code ${ending.exitCode}` : `was killed by SIG${ending.signal}`

const exitedWith = (ending: Ending, code: number): boolean => 'exitCode' in ending && ending.exitCode === code

export const isSuccess = (ending: Ending): boolean => exitedWith(ending, EXIT.done)
export const asksForRestart = (ending: Ending): boolean => exitedWith(ending, EXIT.restartMe)
export const isPermanentFailure = (ending: Ending): boolean => exitedWith(ending, EXIT.permanentFailure)

/** Why no restart can help after this end; undefined: one might. */
export function permanentReason(ending: Ending): string | undefined {
  if (exitedWith(ending, EXIT.configuration)) return `${describeEnding(ending)}: its configuration is wrong`
  if (isPermanentFailure(ending)) return `${describeEnding(ending)}: it must not be started again`
  return undefined
}

/** The code a shell would report: 128+n where signal n ended it. */
export const shellCode = (ending: Ending): number =>
  'exitCode' in ending ? ending.exitCode : 128 + SIGNALS[ending.signal]
