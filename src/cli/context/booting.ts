import { existsSync, readFileSync } from 'node:fs'
import { normalize } from 'node:path'
import { pause, systemClock } from '../../system/clock.ts'
import { hasCode } from '../../system/error-code.ts'
import { type Environment, IMAGE_RUN_DIR } from '../../system/programs/install.ts'

const LOOK_EVERY_MS = 10
const LONGEST_MS = 5000

export interface BootFacts {
  readonly env: Environment
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly runDir?: string
  readonly cmdline?: string
  readonly longestMs?: number
}

/**
 * Waits until PID 1 has written the runtime user's identity and bound its socket, because `docker run -d …; docker
 * exec … hermes` may arrive earlier. It waits only while PID 1 is an init of this install; elsewhere it looks at one
 * file.
 */
export async function initHasBegun({
  env,
  install,
  runDir = IMAGE_RUN_DIR,
  cmdline = '/proc/1/cmdline',
  longestMs = LONGEST_MS,
}: BootFacts): Promise<void> {
  const hasBegun = (): boolean => existsSync(`${runDir}/control.sock`)
  if (env.HERMES_RUN_DIR || hasBegun() || !isInit(cmdline, install)) return
  const clock = systemClock()
  const untilMs = clock.nowMs() + longestMs
  while (!hasBegun() && clock.nowMs() < untilMs) await pause(clock, LOOK_EVERY_MS)
}

function isInit(cmdline: string, install: string): boolean {
  try {
    // The wrapper is a shell script before it becomes Node.
    return (
      readFileSync(cmdline, 'latin1')
        .split('\0')
        // Its command line names the bundle by a path through bin/.
        .some((arg) => ['/init', `${install}/bin/init`, `${install}/lib/init.cjs`].includes(normalize(arg)))
    )
  } catch (error) {
    // Hidden by hidepid: nothing is known, so do not wait.
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM')) return false
    throw error
  }
}
