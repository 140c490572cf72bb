import { unlessCode } from '../../system/error-code.ts'
import { descendants, listProcesses } from '../../system/programs/proc.ts'

/**
 * Sends a signal to a process and all its descendants. The program stays in our process group so that the supervisor
 * finds it when we are killed; therefore it has no process group to signal.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  // List them before sending any signal: if a shell ended first, its children would get another parent.
  const below = descendants(listProcesses(), pid).map((process) => process.pid)
  for (const member of [pid, ...below]) {
    // It may have ended in the meantime, or changed its user (setuid).
    unlessCode(['ESRCH', 'EPERM'], () => process.kill(member, signal))
  }
}
