import { fchownSync, fstatSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Native } from '../../system/native/native.ts'

const STANDARD_FDS = [0, 1, 2] as const

/** The first standard descriptor that is a terminal. */
export const terminalFd = (): number | undefined => STANDARD_FDS.find((fd) => isatty(fd))

/**
 * How the main program gets its terminal: `take` – we lead the session that owns it and give it up; main takes it
 * with `setsid -c`, so it has job control. `share` – another process leads the session (an init above us, a shell):
 * main stays in it, in our process group. `none` – there is no terminal.
 */
export type TerminalPlan = 'take' | 'share' | 'none'

export function terminalPlan(native: Pick<Native, 'isSessionLeader'>): TerminalPlan {
  if (terminalFd() === undefined) return 'none'
  return native.isSessionLeader() ? 'take' : 'share'
}

/**
 * Gives the container's standard streams to main, so that it can open /dev/stdout: only FIFOs and terminals, nothing
 * in a file system.
 * @returns one line if that was not allowed
 */
export function giveStreams(identity: Pick<RuntimeIdentity, 'uid' | 'gid'>): string | undefined {
  const problems: string[] = []
  for (const fd of STANDARD_FDS) {
    try {
      const status = fstatSync(fd)
      if (!status.isFIFO() && !isatty(fd)) continue
      // A terminal keeps its group, `tty`, as login(1) leaves it.
      fchownSync(fd, identity.uid, isatty(fd) ? status.gid : identity.gid)
    } catch (error) {
      // EBADF: it was closed before we came.
      if ((error as NodeJS.ErrnoException).code !== 'EBADF') problems.push(`${fd}: ${(error as Error).message}`)
    }
  }
  if (problems.length === 0) return undefined
  return `standard streams stay root's (${problems.join('; ')}); the main program cannot open /dev/stdout`
}
