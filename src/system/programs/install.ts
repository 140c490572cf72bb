import { existsSync, lstatSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readSmallFile } from '../files/small-file.ts'
import { below, type RunPaths, runPaths } from '../paths.ts'

/** Longest path of a Unix socket: sockaddr_un.sun_path holds 108 bytes with the final NUL (unix(7)). */
const MAX_SOCKET_PATH = 107
/** PATH_MAX of Linux. */
const MAX_PATH = 4096

export interface Environment {
  readonly [name: string]: string | undefined
}

/**
 * The directory that holds `bin/` and `lib/`: `/opt/hermes` in the image, `dist` in a checkout. Bundles are in
 * `lib/`.
 */
export const installDir = (bundleDir: string): string => dirname(bundleDir)

/** Install directory of the image. With any other one (a checkout or a test), the machine is not under our control. */
export const IMAGE_INSTALL = '/opt/hermes'

/** Tells whether this process runs in a container made from the image, regardless of its user and run directory. */
export const isImageInstall = (install: string): boolean => install === IMAGE_INSTALL

/** The checkout that contains this install, if any: `dist` next to a package.json. */
export function checkoutOf(install: string): string | undefined {
  const parent = dirname(install)
  return existsSync(join(parent, 'package.json')) && existsSync(join(parent, 'scripts', 'build.ts'))
    ? parent
    : undefined
}

/** The volume of the image, unless HERMES_HOME names another one. */
const IMAGE_HOME = '/opt/data'

/**
 * The volume: `HERMES_HOME` (the image sets it), in the image also that of the container where a log-in shell or sudo
 * has removed the variable; else `.hermes` of the checkout, else `~/.hermes`. Absolute and without a slash at its end:
 * the name of a private run directory is made from this text.
 * @param stored directory of the container's environment
 */
export function resolveHome(
  env: Environment,
  install: string,
  stored = runPaths(IMAGE_RUN_DIR, 'image').environmentDir,
): string {
  if (env.HERMES_HOME) return resolve(env.HERMES_HOME)
  if (isImageInstall(install)) {
    const text = readSmallFile(below(stored, 'HERMES_HOME'), MAX_PATH).text?.replace(/\n$/, '')
    return resolve(text || IMAGE_HOME)
  }
  const checkout = checkoutOf(install)
  return join(checkout ?? homeOfUser(), '.hermes')
}

/** A uid without HOME and without an account has no home directory (os.homedir() throws); engines give it `/`. */
function homeOfUser(): string {
  try {
    // Not imported: nearly every command finds HERMES_HOME set, and loading the module takes a hundredth of its time.
    return process.getBuiltinModule('node:os').homedir()
  } catch {
    return '/'
  }
}

/**
 * Run directory of a supervisor started without /init, where clients look for it too. If the socket path would be too
 * long, the run directory is a short one in /tmp that depends only on the home.
 */
export function privateRunDir(env: Environment, home: string, uid: number): string {
  const wanted = env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, `hermes-${hashOf(home)}`) : join(home, 'run')
  return Buffer.byteLength(join(wanted, 'control.sock')) <= MAX_SOCKET_PATH
    ? wanted
    : `/tmp/hermes-${uid}-${hashOf(home)}`
}

/**
 * Run directory in a container whose user may not write to /run. It is in memory, because run scripts contain the
 * container's environment, including secrets, which must not stay in the volume.
 */
export const containerRunDir = (home: string, uid: number): string => `/dev/shm/hermes-${uid}-${hashOf(home)}`

/**
 * FNV-1a, 64 bits: distinguishes homes and hides nothing. node:crypto takes 7 ms to load, a sixth of a short command.
 */
function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0').slice(0, 12)
}

export const IMAGE_RUN_DIR = '/run/hermes'

/**
 * Finds the supervisor of this home: only in `HERMES_RUN_DIR` if set, else in the first place with a control socket.
 * The supervisor may have been started with another XDG_RUNTIME_DIR than the client (cron, su, ssh), so all places
 * are tried.
 */
export function findRunPaths(env: Environment, home: string, uid: number, imageRunDir = IMAGE_RUN_DIR): RunPaths {
  const pathsOf = (dir: string): RunPaths => runPaths(dir, dir === imageRunDir ? 'image' : 'private')
  if (env.HERMES_RUN_DIR)
    return runPaths(env.HERMES_RUN_DIR, env.HERMES_RUN_DIR === IMAGE_RUN_DIR ? 'image' : 'private')
  const isThere = (dir: string): boolean => existsSync(below(dir, 'control.sock')) && !isForeign(dir, uid)
  if (isThere(imageRunDir)) return pathsOf(imageRunDir)
  const found = runDirs(env, home, uid).find(isThere)
  if (found !== undefined) return pathsOf(found)
  if (existsSync(join(imageRunDir, 'identity'))) return pathsOf(imageRunDir)
  const wanted = privateRunDir(env, home, uid)
  // Any user could have created a directory in /tmp; only the owner of the home may run its supervisor.
  return pathsOf(isForeign(wanted, uid) ? join(home, 'run') : wanted)
}

/** Every place of a run directory for this home, but the image's. */
export function runDirs(env: Environment, home: string, uid: number): readonly string[] {
  const named = `hermes-${hashOf(home)}`
  return [
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, named)] : []),
    `/run/user/${uid}/${named}`,
    containerRunDir(home, uid),
    join(home, 'run'),
    `/tmp/hermes-${uid}-${hashOf(home)}`,
  ]
}

/** A directory that neither we nor root made: what listens there is not to be trusted. */
function isForeign(dir: string, uid: number): boolean {
  const owner = lstatSync(dir, { throwIfNoEntry: false })?.uid
  return owner !== undefined && owner !== uid && owner !== 0
}

export interface CommandEnvironment {
  /** Of the user who types the command. */
  readonly HOME: string | undefined
  readonly home: string
  readonly runDir: string
  readonly uid: number
  readonly install: string
}

/**
 * Builds a command to paste into another terminal for this home: the settings that a new shell lacks, then the
 * command.
 * @param args sh text after the command, such as `status`
 */
export function pasteableCommand({ HOME, home, runDir, uid, install }: CommandEnvironment, args: string): string {
  const shell = { HOME }
  const needed = [
    ...(resolveHome(shell, install) === home ? [] : [['HERMES_HOME', home]]),
    ...(findRunPaths(shell, home, uid).runDir === runDir ? [] : [['HERMES_RUN_DIR', runDir]]),
  ].map(([name, value = '']) => `${name}=${quoteForShell(value)} `)
  return `${needed.join('')}${quoteForShell(join(install, 'bin', 'hermes'))} ${args}`
}

/** Quoted only where the shell would read it otherwise. */
const quoteForShell = (text: string): string =>
  /^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
