import { descendants, listProcesses } from '../../system/programs/proc.ts'

/**
 * Sends a signal to a process and everything below it. The program stays in our process group, so that the supervisor finds it
 * when we are killed ourselves; a group of its own to signal is therefore not to be had.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  // Listed before anything is signalled: a shell that ends first would leave its children to somebody else.
  const below = descendants(listProcesses(), pid).map((process) => process.pid)
  for (const member of [pid, ...below]) {
    try {
      process.kill(member, signal)
    } catch (error) {
      // It ended meanwhile, or became somebody else's (setuid).
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ESRCH' && code !== 'EPERM') throw error
    }
  }
}
