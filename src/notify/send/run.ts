/** Hands a message to a program of the user, on its standard input. */
import { basename } from 'node:path'
import { execa } from 'execa'
import type { Environment } from '../../system/programs/install.ts'
import type { Notification } from '../notification.ts'
import type { Attempt } from '../retry.ts'

/** Longest run of such a program. */
const RUN_MS = 30_000
/** Time from TERM to KILL. */
const KILL_AFTER_MS = 2000

/** Never rejects. @param signal ends the program; the attempt has failed then */
export async function runProgram(
  [file = '', ...args]: readonly string[],
  notification: Notification,
  facts: { readonly home: string; readonly env: Environment; readonly signal: AbortSignal },
): Promise<Attempt> {
  const name = basename(file)
  const result = await execa(file, args, {
    cwd: facts.home,
    env: { ...facts.env, HERMES_NOTIFY_ID: notification.id, HERMES_NOTIFY_EVENT: notification.event },
    extendEnv: false,
    input: JSON.stringify(notification),
    // Its output is not part of the message, and may be without end.
    stdout: 'ignore',
    stderr: 'ignore',
    reject: false,
    timeout: RUN_MS,
    forceKillAfterDelay: KILL_AFTER_MS,
    cancelSignal: facts.signal,
  })
  if (result.exitCode === 0) return { is: 'delivered', text: `${name} exited with 0` }
  const text = result.timedOut
    ? `${name} did not end within ${RUN_MS / 1000} s`
    : result.isCanceled
      ? `${name} was ended with the notifier`
      : result.exitCode !== undefined
        ? `${name} exited with ${result.exitCode}`
        : result.signal !== undefined
          ? `${name} was killed by ${result.signal}`
          : `${name} cannot be started: ${result.code ?? 'unknown'}`
  return { is: 'failed', text }
}
