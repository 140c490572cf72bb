import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { DATABASE_SECRET, NODE_SECRET } from '../../system/dashboard-secrets.ts'
import { requireAddress } from '../../system/database-address.ts'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { type Environment, isImageInstall, resolveHome } from '../../system/programs/install.ts'
import { ownNodeUrl, requireToken } from '../../system/programs/node-access.ts'
import { splitSecretFiles } from '../../system/secret-variables.ts'
import { secondsToMs } from '../../system/text/seconds.ts'
import { type AccountFiles, nameIdentity, SYSTEM_ACCOUNTS, userOf } from './accounts.ts'
import { containerEnvironment, type Variables } from './environment.ts'
import { foreignLoaders } from './foreign-loaders.ts'
import {
  privilegedWarning,
  RUNTIME_USER,
  requestedIds,
  restrictions,
  setprivPrefix,
  supplementaryGroups,
  whyNoDrop,
} from './identity.ts'
import { doubtfulSwitches } from './switches.ts'
import { type WallsFacts, wallsFacts } from './walls-facts.ts'

/** Kept of the total time of a stop for killing, draining the logs and the finish hooks. */
export const RESERVE_MS = 1_500

export interface InitOptions {
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  /** `npm start`: no image around us, no main program. */
  readonly foreground: boolean
  /** The container's arguments. */
  readonly argv: readonly string[]
  readonly env: Environment
  /** Socket of the service manager that waits for us (`NOTIFY_SOCKET`). */
  readonly managerSocket?: string | undefined
}

/** Facts about our identity and surroundings, determined before anything is created. */
export interface InitFacts {
  readonly home: string
  readonly uid: number
  readonly pid1: boolean
  readonly identity: RuntimeIdentity
  /** Root is given up on the way to everything we start. */
  readonly dropped: boolean
  /** setpriv with its options; empty where nothing is dropped. */
  readonly prefix: readonly string[]
  /** Options that keep the runtime user from gaining privileges. */
  readonly restrictions: readonly string[]
  /** The container's environment, with our defaults. */
  readonly environment: Variables
  /** Name of a secret → path of its file (`NAME_FILE`); neither is in the environment. */
  readonly secretFiles: Variables
  /** The ids of walled profiles; absent: HERMES_PROFILE_UIDS is not set. */
  readonly walls?: WallsFacts
  /** The board is in a database, whose address is a secret. */
  readonly hasDatabase: boolean
  readonly stopTimeoutMs: number
  /** Permissions that the volume's directory is given; absent: it keeps its own. */
  readonly homeMode?: number
  /** Information for users that needs no action. */
  readonly notes: readonly string[]
  /** Lines for people: what this run cannot do. */
  readonly warnings: readonly string[]
}

const DEFAULT_STOP_TIMEOUT_S = 8

/** @throws HermesError when nothing could work */
export function gatherFacts({ install, foreground, env }: InitOptions, accounts = SYSTEM_ACCOUNTS): InitFacts {
  const warnings: string[] = [...doubtfulSwitches(env)]
  const home = resolve(resolveHome(env, install))
  const uid = process.getuid?.() ?? 0
  const dropped = uid === 0 && !foreground
  const { files: secretFiles, rest: environment } = splitSecretFiles(
    containerEnvironment(env, {
      HERMES_HOME: home,
      HERMES_STOP_TIMEOUT: String(defaultStopTimeoutS(env, warnings)),
    }),
  )
  const { [DATABASE_SECRET]: address, [NODE_SECRET]: token } = environment
  if (address) requireAddress(address)
  if (token) requireToken(token)
  ownNodeUrl(environment)
  const identity = dropped
    ? becoming({ env, home, accounts, isImage: isImageInstall(install) }, warnings)
    : ourselves(env, foreground ? env.HOME : home, accounts)
  const loaders = dropped ? foreignLoaders(environment, home) : undefined
  if (loaders !== undefined) warnings.push(loaders)
  if (!dropped && uid === 0) warnings.push('started as root: everything runs as root')
  if (!dropped && uid !== 0 && !foreground) {
    warnings.push(
      `not root: everything runs as uid ${uid}; the ownership of ${home} cannot be repaired, and gateways can reach the memory and the state of what supervises them`,
    )
  }
  const status = readFileSync('/proc/self/status', 'latin1')
  // Elsewhere (a checkout, a test) the machine is the user's, who knows what its root may do.
  const privileged = isImageInstall(install)
    ? privilegedWarning(status, readFileSync('/proc/self/uid_map', 'latin1'))
    : undefined
  if (privileged !== undefined) warnings.push(privileged)
  const walls = wallsFacts({ env, dropped, identity, status, accounts })
  if (walls?.obstacle !== undefined) warnings.push(`no profile can be walled here: ${walls.obstacle}`)
  const mode = homeMode(environment, warnings)
  const restricted = dropped ? restrictions(env, status) : { options: [] }
  return {
    home,
    uid,
    pid1: process.pid === 1,
    identity,
    dropped,
    prefix: dropped ? setprivPrefix(identity, restricted.options) : [],
    restrictions: restricted.options,
    notes: restricted.note === undefined ? [] : [restricted.note],
    environment,
    secretFiles,
    ...(walls && { walls }),
    hasDatabase: Boolean(address) || secretFiles[DATABASE_SECRET] !== undefined,
    stopTimeoutMs: stopTimeout(environment, warnings),
    ...(mode !== undefined && { homeMode: mode }),
    warnings,
  }
}

interface Becoming {
  readonly env: Environment
  readonly home: string
  readonly accounts: AccountFiles
  readonly isImage: boolean
}

function becoming({ env, home, accounts, isImage }: Becoming, warnings: string[]): RuntimeIdentity {
  const { uid, gid } = requestedIds(env)
  const why =
    whyNoDrop(uid, readFileSync('/proc/self/status', 'latin1'), readFileSync('/proc/self/uid_map', 'latin1')) ??
    (statSync('/usr/bin/setpriv', { throwIfNoEntry: false }) === undefined
      ? "util-linux's /usr/bin/setpriv is missing"
      : undefined)
  if (why !== undefined) {
    throw new HermesError('REFUSED', `cannot become uid ${uid}: ${why}; refusing to run as root`, {
      next: `start the container with --cap-add SETUID --cap-add SETGID, or with --user ${uid}:${gid}`,
      exitCode: EXIT.cannotExecute,
    })
  }
  const unnamed = isImage ? nameIdentity({ user: RUNTIME_USER, uid, gid, home }, accounts) : undefined
  if (unnamed !== undefined) warnings.push(unnamed)
  // In the image the account has just been created; elsewhere the machine may have a name for the id.
  const user = isImage ? RUNTIME_USER : (userOf(readText(accounts.passwd), uid)?.user ?? String(uid))
  const socket = statSync('/var/run/docker.sock', { throwIfNoEntry: false })
  const groups = supplementaryGroups({
    groupFile: readText(accounts.group),
    user,
    gid,
    own: process.getgroups?.() ?? [],
    ...(socket?.isSocket() && { dockerSocketGid: socket.gid }),
  })
  return { uid, gid, groups, user, home }
}

function ourselves(env: Environment, home: string | undefined, accounts: AccountFiles): RuntimeIdentity {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  const entry = userOf(readText(accounts.passwd), uid)
  return {
    uid,
    gid,
    groups: (process.getgroups?.() ?? []).filter((id) => id !== gid),
    user: entry?.user ?? env.USER ?? String(uid),
    home: home ?? entry?.home ?? '/',
  }
}

/**
 * s6-overlay's S6_KILL_GRACETIME is the time between TERM and KILL; ours is that plus the time reserved for the end.
 */
function defaultStopTimeoutS({ S6_KILL_GRACETIME: text = '' }: Environment, warnings: string[]): number {
  if (text === '') return DEFAULT_STOP_TIMEOUT_S
  if (/^\d{1,8}$/.test(text)) return (Number(text) + RESERVE_MS) / 1_000
  warnings.push(`S6_KILL_GRACETIME: expected milliseconds, a whole number, got "${text}"; it is left out of account`)
  return DEFAULT_STOP_TIMEOUT_S
}

/** The owner keeps all permissions: it is the runtime user, who works there. */
function homeMode({ HERMES_HOME_MODE: text = '' }: Variables, warnings: string[]): number | undefined {
  if (text === '') return undefined
  const mode = /^[02]?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : 0
  if ((mode & 0o700) === 0o700) return mode
  warnings.push(
    `HERMES_HOME_MODE: expected an octal mode with everything for the owner, such as 0700, got "${text}"; the volume's mode stays`,
  )
  return undefined
}

function stopTimeout(environment: Variables, warnings: string[]): number {
  const text = environment.HERMES_STOP_TIMEOUT ?? ''
  const ms = secondsToMs(text)
  if (ms !== undefined) return ms
  warnings.push(
    `HERMES_STOP_TIMEOUT: expected seconds, a number above 0, got "${text}"; it is ${DEFAULT_STOP_TIMEOUT_S}`,
  )
  return DEFAULT_STOP_TIMEOUT_S * 1_000
}

const readText = (file: string): string => unlessCode(['ENOENT'], () => readFileSync(file, 'utf8'), '')
