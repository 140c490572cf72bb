import { pause } from '../../../system/clock.ts'
import { hasCode } from '../../../system/error-code.ts'
import { HermesError } from '../../../system/errors.ts'
import { isZombie, type ProcessFacts, readProcess } from '../../../system/programs/proc.ts'
import type { Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actionOptions } from '../gateway.ts'
import { findInit, requireHost } from './place.ts'

/** Programs have HERMES_STOP_TIMEOUT to end; an operator may have set more than its 8 s. */
const WAIT_MS = 75_000
const LOOK_EVERY_MS = 20

/** `hermes stop` */
export async function stop(context: Context, input: Input): Promise<Outcome> {
  requireHost(context, input, 'stop')
  const { clock, home, paths } = context
  const { timeoutMs = WAIT_MS } = actionOptions(input)
  const untilMs = clock.nowMs() + timeoutMs
  const waited = async (what: string): Promise<void> => {
    if (clock.nowMs() >= untilMs)
      throw new HermesError('TIMED_OUT', `Hermes for ${home} ${what} in time`, { next: 'hermes status' })
    await pause(clock, LOOK_EVERY_MS)
  }
  let init = await findInit(paths.runDir, paths.initPid)
  for (; init.state === 'starting'; init = await findInit(paths.runDir, paths.initPid))
    await waited('has not begun to run')
  // Read before the signal: the pid may soon belong to another process.
  const found = init.state === 'running' ? readProcess(init.pid) : undefined
  if (found === undefined || !terminate(found.pid))
    throw new HermesError('NO_SUPERVISOR', `Hermes is not running here (${home})`, {
      next: 'if it uses another HERMES_HOME, set that here too',
    })
  while (isThere(found)) await waited('has not ended')
  return { text: `Hermes for ${home} (pid ${found.pid}) has stopped\n`, json: { pid: found.pid, home } }
}

/** The lock is free a moment earlier. A zombie has ended; its parent may leave it for long. */
function isThere({ pid, startTime }: ProcessFacts): boolean {
  const now = readProcess(pid)
  return now !== undefined && now.startTime === startTime && !isZombie(now)
}

/** @returns false if it has ended by itself. @throws HermesError REFUSED for a process of another user */
function terminate(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGTERM')
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
    if (!hasCode(error, 'EPERM')) throw error
    throw new HermesError('REFUSED', `Hermes (pid ${pid}) belongs to another user`, {
      next: 'run it as that user, or as root',
    })
  }
}
