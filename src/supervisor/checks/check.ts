import type { Check } from '../../profile/config/kinds/kinds.ts'
import type { Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { childEnding, type Kernel } from '../../system/native/child-ending.ts'
import { signalName } from '../../system/signals.ts'

/**
 * Checks a service from outside, once. Never rejects.
 * @param signal aborts the check
 * @returns the reason for a failure; undefined: success
 */
export async function checkProblem(
  check: Check,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  kernel?: Kernel,
): Promise<string | undefined> {
  const giveUp = new AbortController()
  const cancel = clock.at(clock.nowMs() + timeoutMs, () => giveUp.abort(new Error(`no answer within ${timeoutMs} ms`)))
  try {
    return await askers[check.by](check as never, AbortSignal.any([signal, giveUp.signal]), kernel)
  } catch (error) {
    // An aborted request rejects with "The operation was aborted"; use our own reason.
    return ((giveUp.signal.reason as Error | undefined) ?? (error as Error)).message
  } finally {
    cancel()
  }
}

type Ask<B extends Check['by']> = (
  check: Extract<Check, { by: B }>,
  signal: AbortSignal,
  kernel: Kernel,
) => Promise<string | undefined>

const askers: { readonly [B in Check['by']]: Ask<B> } = {
  /** A status below 400. node:http, because the global fetch costs 10 MB at its first use. */
  async http({ url }, signal) {
    const { get } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
    return new Promise((resolve, reject) => {
      const request = get(url, { signal, agent: false }, (response) => {
        const { statusCode = 500 } = response
        response.destroy() // an unread body would keep the socket
        resolve(statusCode < 400 ? undefined : `${url} answers ${statusCode}`)
      })
      request.on('error', reject)
    })
  },
  /** It takes a connection. */
  async tcp({ host, port }, signal) {
    const { connect } = await import('node:net')
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, signal })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.destroy()
        resolve(undefined)
      })
    })
  },
  /** Exit code 0. As ourselves, the runtime user: whatever it is, it has no rights that the service's may have. */
  async command({ command: [program = '', ...args] }, signal, kernel) {
    const { spawn } = await import('node:child_process')
    signal.throwIfAborted() // an event that has been is not heard any more
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd: '/',
        env: { PATH: process.env.PATH },
        stdio: 'ignore',
        // A separate process group: otherwise a killed shell would leave its child running, one more with each check.
        detached: true,
      })
      const giveUp = (): void => {
        killGroup(child.pid)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      child.once('error', reject)
      void childEnding(child, kernel).then((ending) => {
        signal.removeEventListener('abort', giveUp)
        killGroup(child.pid)
        const how = 'exitCode' in ending ? `${ending.exitCode}` : `SIG${signalName(ending.signal)}`
        resolve(how === '0' ? undefined : `${program} ends with ${how}`)
      })
    })
  },
}

/** KILL to a command and to all that it has started, if any of it is left. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return // it was never started
  // ESRCH: nothing is left of it. EPERM: it has changed its user (sudo), so we may not end it.
  unlessCode(['ESRCH', 'EPERM'], () => process.kill(-pid, 'SIGKILL'))
}
