import { splitSecrets } from '../../system/dashboard-secrets.ts'
import type { Native } from '../../system/native/native.ts'
import { storeEnvironment, storeSecret } from '../facts/environment.ts'
import type { InitFacts, InitOptions } from '../facts/facts.ts'
import { ExitCodeFile } from './exit-code-file.ts'
import { type Home, openHome, setHomeMode } from './home.ts'
import {
  chooseRunDirectory,
  listenForClients,
  lockRunDirectory,
  makeBoardDirectory,
  makeRunDirectory,
  type RunDirectory,
  writeBegun,
  writeIdentity,
  writeInitPid,
} from './run-directory.ts'
import { requireWritable } from './volume.ts'

const API_KEY = 'API_SERVER_KEY'

export interface Directories {
  readonly home: Home
  /** Reason why the home does not have the requested mode. */
  readonly modeProblem?: string
  readonly run: RunDirectory
  /** The listening control socket, or one line with the reason why there is none. */
  readonly control: number | string
  /** Only in the image. */
  readonly exitCode?: ExitCodeFile
}

/**
 * Makes what everything else needs: the home, the run directory with the container's environment and the runtime
 * identity in it, the control socket and the exit-code file.
 * @throws HermesError naming the directory that cannot be had
 */
export function makeDirectories(
  { env, foreground, install }: Pick<InitOptions, 'env' | 'foreground' | 'install'>,
  facts: InitFacts,
  native: Pick<Native, 'tryLock' | 'listenUnix'>,
  controlFd: number | undefined,
): Directories {
  const { home, uid, identity, dropped, environment, homeMode } = facts
  const owner = dropped ? identity : undefined
  const opened = openHome(facts)
  if (!dropped) requireWritable(facts)
  const modeProblem = homeMode === undefined ? undefined : setHomeMode(opened, homeMode, owner)
  const run = chooseRunDirectory({ env, home, uid, foreground })
  const { paths } = run
  makeRunDirectory(run, owner, () => lockRunDirectory(native, paths, home))
  if (facts.hasDatabase) makeBoardDirectory(paths.boardDir, owner)
  const { open } = splitSecrets(environment)
  const { [API_KEY]: key, ...others } = open
  storeEnvironment(paths.environmentDir, facts.walls === undefined ? open : others)
  // A walled profile could use the API of the default one.
  if (facts.walls !== undefined && key !== undefined) storeSecret(paths.environmentDir, API_KEY, key, owner)
  writeIdentity(paths.identity, identity)
  writeInitPid(paths.initPid)
  const control = listenForClients(native, { path: paths.controlSocket, fd: controlFd, owner })
  writeBegun(paths.begun)
  return {
    home: opened,
    ...(modeProblem !== undefined && { modeProblem }),
    run,
    control,
    ...(run.layout === 'image' && { exitCode: ExitCodeFile.make({ install, owner }) }),
  }
}
