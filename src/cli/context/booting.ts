import { readdirSync, readFileSync } from 'node:fs'
import { dirname, normalize } from 'node:path'
import { pause, systemClock } from '../../system/clock.ts'
import { hasCode } from '../../system/error-code.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below, runPaths } from '../../system/paths.ts'
import {
  containerRunDir,
  type Environment,
  IMAGE_RUN_DIR,
  isImageInstall,
  resolveHome,
  runDirs,
} from '../../system/programs/install.ts'
import { readProcess } from '../../system/programs/proc.ts'

const LOOK_EVERY_MS = 10
const LONGEST_MS = 20_000
/** A number of clock ticks. */
const MAX_BYTES = 32
/** USER_HZ, which is part of Linux' interface on all of Node's platforms. */
const TICK_MS = 10

export interface BootFacts {
  readonly env: Environment
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly imageRunDir?: string
  /** Where an init that may not write to /run makes its own. */
  readonly memory?: string
  readonly proc?: string
  readonly longestMs?: number
}

/**
 * Waits until PID 1 has written the runtime user's identity and bound its socket, because `docker run -d …; docker
 * exec … hermes` and `docker restart …; docker exec … hermes` may arrive earlier. It waits only while PID 1 is an init
 * of this install that started some seconds ago: an older one has a run directory that we do not find, and would make
 * every command wait. Elsewhere it reads one or two small files.
 */
export async function initHasBegun({
  env,
  install,
  imageRunDir = IMAGE_RUN_DIR,
  memory = dirname(containerRunDir('', 0)),
  proc = '/proc',
  longestMs = LONGEST_MS,
}: BootFacts): Promise<void> {
  if (env.HERMES_RUN_DIR) return
  const startedAt = readProcess(1, proc)?.startTime
  // NaN, which equals nothing, where there is no such file.
  const hasBegun = (runDir: string): boolean =>
    Number(readSmallFile(runPaths(runDir, 'image').begun, MAX_BYTES).text) === startedAt
  if (startedAt === undefined || hasBegun(imageRunDir) || !isInit(`${proc}/1/cmdline`, install)) return
  const places = [imageRunDir, ...runDirs(env, resolveHome(env, install), process.getuid?.() ?? 0)]
  const begun = (): boolean => [...places, ...namesIn(memory).map((name) => below(memory, name))].some(hasBegun)
  const clock = systemClock()
  const untilMs = clock.nowMs() + longestMs - (sinceBootMs(proc) - startedAt * TICK_MS)
  while (!begun() && clock.nowMs() < untilMs) await pause(clock, LOOK_EVERY_MS)
}

/** The clock of `startTime`. */
const sinceBootMs = (proc: string): number => Number.parseFloat(readFileSync(`${proc}/uptime`, 'latin1')) * 1000

/** Without /dev/shm (docker run --ipc none) no run directory is in it. */
function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return []
    throw error
  }
}

function isInit(cmdline: string, install: string): boolean {
  // Only the image's /init is ours: WSL has another one as PID 1.
  const programs = [`${install}/bin/init`, `${install}/lib/init.cjs`, ...(isImageInstall(install) ? ['/init'] : [])]
  try {
    // The wrapper is a shell script before it becomes Node.
    return (
      readFileSync(cmdline, 'latin1')
        .split('\0')
        // Its command line names the bundle by a path through bin/.
        .some((arg) => programs.includes(normalize(arg)))
    )
  } catch (error) {
    // Hidden by hidepid: nothing is known, so do not wait.
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM')) return false
    throw error
  }
}
