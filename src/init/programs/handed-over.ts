import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { MAIN_MARKER, SUPERVISED_MARKER } from '../../system/markers.ts'
import type { Variables } from '../facts/environment.ts'
import { namesOf } from '../facts/identity.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'

/** Facts about a program that gets its identity, its environment and its secrets over a descriptor. */
export interface HandedOver {
  readonly install: string
  readonly home: string
  readonly runDir: string
  /** Directories that lead the PATH of slots. */
  readonly path: readonly string[]
  readonly identity: RuntimeIdentity
  readonly dropped: boolean
  /** Programs started by the runtime user cannot gain privileges. */
  readonly restricted: boolean
  /** The container's environment as the boot hooks left it. */
  readonly stored: () => Variables
  /** The secrets that init hands over: of the container's environment, or of the files that it names. */
  readonly secrets: () => Variables
}

/**
 * The environment that such a program sets for itself.
 * @param open the container's variables, without secrets
 * @param slot absent: it is the main program
 */
export function handoverEnvironment(
  { identity, home, runDir, path }: Pick<HandedOver, 'identity' | 'home' | 'runDir' | 'path'>,
  open: Variables,
  slot: string | undefined,
): Variables {
  const { [MAIN_MARKER]: _, [SUPERVISED_MARKER]: __, ...container } = open
  const env: Record<string, string> = {
    LANG: 'C.UTF-8',
    ...ROOT_ENV,
    ...container,
    ...namesOf(identity),
    HERMES_HOME: home,
    HERMES_RUN_DIR: runDir,
  }
  if (slot === undefined) return env
  const others = (env.PATH ?? '').split(':').filter((dir) => dir !== '' && !path.includes(dir))
  return { ...env, HERMES_SLOT: slot, [SUPERVISED_MARKER]: '1', PATH: [...path, ...others].join(':') }
}
