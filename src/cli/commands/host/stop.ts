import { pause } from '../../../system/clock.ts'
import { hasCode } from '../../../system/error-code.ts'
import { HermesError } from '../../../system/errors.ts'
import type { Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actionOptions } from '../gateway.ts'
import { findInit, type Running, requireHost } from './place.ts'

/** Programs have HERMES_STOP_TIMEOUT to end; an operator may have set more than its 8 s. */
const WAIT_MS = 75_000
const LOOK_EVERY_MS = 20

/** `hermes stop` */
export async function stop(context: Context, input: Input): Promise<Outcome> {
  requireHost(context, input, 'stop')
  const { clock, home, paths } = context
  const { timeoutMs = WAIT_MS } = actionOptions(input)
  const untilMs = clock.nowMs() + timeoutMs
  const look = (): Promise<Running> => findInit(paths.runDir, paths.initPid)
  let signalled: number | undefined
  for (let init = await look(); init.state !== 'none'; init = await look()) {
    if (init.state === 'running' && init.pid !== signalled) {
      // Another init may have come since: it was not meant.
      if (signalled !== undefined) break
      signalled = init.pid
      if (!terminate(init.pid)) break
    }
    if (clock.nowMs() >= untilMs)
      throw new HermesError('TIMED_OUT', `Hermes for ${home} has not ended in time; it still stops`, {
        next: 'hermes status',
      })
    await pause(clock, LOOK_EVERY_MS)
  }
  if (signalled === undefined)
    throw new HermesError('NO_SUPERVISOR', `Hermes is not running here (${home})`, {
      next: 'if it uses another HERMES_HOME, set that here too',
    })
  return { text: `Hermes for ${home} (pid ${signalled}) has stopped\n`, json: { pid: signalled, home } }
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
