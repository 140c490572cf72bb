import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { hasCode } from '../../../system/error-code.ts'
import { HermesError } from '../../../system/errors.ts'
import { loadNative } from '../../../system/native/native-libc.ts'
import { lookAtRunLock } from '../../../system/native/run-lock.ts'
import { isImageInstall, privateRunDir } from '../../../system/programs/install.ts'
import type { Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'

type Verb = 'start' | 'stop'

/**
 * `hermes start` and `hermes stop` are about Hermes itself, on a machine that is not its container.
 * @throws HermesError USAGE for a gateway's name, and in the container
 */
export function requireHost(context: Pick<Context, 'install' | 'requestedProfile'>, { args }: Input, verb: Verb): void {
  const names = [...(context.requestedProfile === undefined ? [] : [context.requestedProfile]), ...args]
  if (names.length > 0)
    throw new HermesError('USAGE', `hermes ${verb} takes no name: it ${verb}s Hermes with all of its gateways`, {
      next: `hermes gateway ${verb} ${names.join(' ')}`,
    })
  if (isImageInstall(context.install))
    throw new HermesError(
      'USAGE',
      `in its container, Hermes is ${verb === 'start' ? 'started' : 'stopped'} from outside`,
      {
        next: `on the host: docker ${verb} ${hostname()}`,
      },
    )
}

/** The init of a home. */
export type Running =
  | { readonly state: 'running'; readonly pid: number }
  /** It has not written its pid yet. */
  | { readonly state: 'starting' }
  | { readonly state: 'none' }

/**
 * Looks for the init of a run directory.
 * @throws HermesError REFUSED where it belongs to another user
 */
export async function findInit(runDir: string, initPid: string): Promise<Running> {
  const { native } = await loadNative()
  const lock = lookAtRunLock(native, runDir)
  if (lock === 'free') return { state: 'none' }
  if (lock === 'hidden')
    throw new HermesError('REFUSED', `${runDir} belongs to another user`, { next: 'run it as that user, or as root' })
  const pid = readPid(initPid)
  return pid === undefined ? { state: 'starting' } : { state: 'running', pid }
}

function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'latin1')) || undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** The run directory of an init in the foreground. Its socket decides where `context.paths` are, once it is there. */
export const runDirToBe = ({ env, home, uid }: Pick<Context, 'env' | 'home' | 'uid'>): string =>
  env.HERMES_RUN_DIR ? resolve(env.HERMES_RUN_DIR) : privateRunDir(env, home, uid)
