import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { unlessCode } from '../../system/error-code.ts'
import { HermesError } from '../../system/errors.ts'
import { type Native, NativeError } from '../../system/native/native.ts'
import { lookAtRunLock, runLock } from '../../system/native/run-lock.ts'
import { type RunPaths, runPaths } from '../../system/paths.ts'
import { containerRunDir, type Environment, IMAGE_RUN_DIR, privateRunDir } from '../../system/programs/install.ts'
import { readProcess } from '../../system/programs/proc.ts'
import { RESULTS } from './exit-code-file.ts'

export interface RunDirectory {
  readonly paths: RunPaths
  readonly layout: 'image' | 'private'
}

export interface Place {
  readonly env: Environment
  readonly home: string
  readonly uid: number
  /** `npm start`: the image's directories are not ours. */
  readonly foreground: boolean
}

/** Chooses the run directory (design: files and sockets). Clients look in the same places. */
export function chooseRunDirectory({ env, home, uid, foreground }: Place): RunDirectory {
  const wanted = env.HERMES_RUN_DIR
  if (wanted) return place(wanted)
  if (!foreground && (uid === 0 || canMakeImageDirectories())) return place(IMAGE_RUN_DIR)
  return place(foreground || env.XDG_RUNTIME_DIR ? privateRunDir(env, home, uid) : containerRunDir(home, uid))
}

function place(runDir: string): RunDirectory {
  const layout = runDir === IMAGE_RUN_DIR ? 'image' : 'private'
  return { paths: runPaths(runDir, layout), layout }
}

/** All of them or none: a client takes /run/hermes as the sign for all. */
function canMakeImageDirectories(): boolean {
  const { runDir, scanDir, environmentDir } = runPaths(IMAGE_RUN_DIR, 'image')
  return [runDir, scanDir, environmentDir, RESULTS].every((dir) => {
    try {
      accessSync(nearestExisting(dir), constants.W_OK | constants.X_OK)
      return true
    } catch {
      return false // whatever the reason, it is not to be made there
    }
  })
}

/**
 * Creates the run directory and its content, with owners and modes as documented, empty.
 * @param owner owner of everything that the runtime user must write; absent: root is not dropped
 * @param lock called before anything in it is removed
 * @throws HermesError when there is no place for them
 */
export function makeRunDirectory(
  { paths, layout }: RunDirectory,
  owner: RuntimeIdentity | undefined,
  lock: () => void,
): void {
  const { runDir, logFifos, slotStates, scanDir, environmentDir, boardDir } = paths
  try {
    if (owner !== undefined) {
      for (const dir of [runDir, scanDir, dirname(environmentDir), RESULTS]) removeShipped(dir)
      refuseForeignGround(dirname(runDir))
    }
    // If root is not dropped, all of it belongs to one user, and so does the environment in it.
    makeDirectory(runDir, layout === 'private' && owner === undefined ? 0o700 : 0o755)
    if (owner !== undefined) {
      refuseForeignGround(runDir)
      for (const dir of [scanDir, dirname(environmentDir)]) removePlanted(dir)
    }
    refuseForeignFiles(runDir)
    lock()
    // By name: a directory chosen by the user may contain other files.
    const { begun, controlSocket, identity, initPid, health, services, rootPath, walls } = paths
    const state = [begun, controlSocket, identity, initPid, health, services, rootPath, walls]
    const files = [...state, mainScript(paths), hookScript(paths)]
    const directories = [logFifos, slotStates, environmentDir, boardDir, join(runDir, 'services')]
    for (const old of [...files, ...directories]) clear(old, runDir)
    makeDirectory(scanDir, 0o755)
    // The directory itself may be a mount point; it outlives `docker restart` if /run is not a tmpfs.
    for (const name of readdirSync(scanDir)) clear(join(scanDir, name), runDir)
    makeDirectory(logFifos, 0o711)
    makeDirectory(slotStates, 0o700)
    makeDirectory(environmentDir, 0o755)
    if (owner !== undefined) lchownSync(scanDir, owner.uid, owner.gid)
  } catch (error) {
    if (error instanceof HermesError) throw error
    throw new HermesError(
      'FAILED',
      `the run directory cannot be made: ${whyNotMade(error as NodeJS.ErrnoException, runDir)}`,
      {
        next: 'mount a tmpfs on /run (docker run --tmpfs /run), or name a writable directory in HERMES_RUN_DIR',
        cause: error,
      },
    )
  }
}

/**
 * mkdir(recursive) reports ENOENT for a read-only file system; access(2) on the existing part of the path gives the
 * actual error.
 */
function whyNotMade({ code, path, message }: NodeJS.ErrnoException, runDir: string): string {
  const existing = nearestExisting(path ?? runDir)
  try {
    accessSync(existing, constants.W_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EROFS') return `${existing} is on a read-only file system`
  }
  return `${path ?? runDir}: ${code ?? message}`
}

/** The path itself, or the last directory on the way to it that is there. */
function nearestExisting(path: string): string {
  let dir = path
  while (dir !== dirname(dir) && lstatSync(dir, { throwIfNoEntry: false }) === undefined) dir = dirname(dir)
  return dir
}

/**
 * Removes files that the runtime user may have made. Node cannot remove a tree that is deeper than its limit of open
 * files; such a tree must not end every boot from now on, so it is moved out of the way.
 */
function clear(path: string, runDir: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    renameSync(path, mkdtempSync(join(runDir, 'not-removable-')))
  }
}

/**
 * A second init on the same run directory would clear it under the first one's feet (`docker exec … /init`, `npm
 * start` twice). The lock ends with the process.
 * @throws HermesError when there is one already
 */
export function lockRunDirectory(native: Pick<Native, 'tryLock'>, { runDir, initPid }: RunPaths, home: string): void {
  const fd = openSync(runLock(runDir), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  if (native.tryLock(fd) !== 'busy') return
  closeSync(fd)
  throw alreadyRunning(home, initPid)
}

/**
 * Called before anything is built or created. Only checks the lock.
 * @throws HermesError when an init runs for this place
 */
export function refuseSecond(native: Pick<Native, 'isLocked'>, where: Place): void {
  const { runDir, initPid } = chooseRunDirectory(where).paths
  // A hidden one is init's to report.
  if (lookAtRunLock(native, runDir) === 'held') throw alreadyRunning(where.home, initPid)
}

function alreadyRunning(home: string, initPid: string): HermesError {
  // It may not have written it yet.
  const pid = existsSync(initPid) ? ` (pid ${readFileSync(initPid, 'latin1').trim()})` : ''
  return new HermesError('EXISTS', `Hermes is already running for ${home}${pid}`, {
    next: 'Use it (hermes status), or start a second one with HERMES_HOME=/other',
  })
}

/**
 * The content of the run directory is removed at each boot, so it must be ours: HERMES_RUN_DIR may name a user's
 * directory. Our sign is the lock file, which is never removed.
 * @throws HermesError when it contains other files
 */
function refuseForeignFiles(runDir: string): void {
  const names = readdirSync(runDir)
  if (names.length === 0 || names.includes(basename(runLock(runDir)))) return
  throw new HermesError('REFUSED', `${runDir} cannot be the run directory: it holds other files (${names[0]})`, {
    next: 'name an empty or new directory in HERMES_RUN_DIR',
  })
}

/**
 * Directories that root creates and clears must not be in a place where another user could put a link.
 * @throws HermesError naming the directory on the way that others than root can write
 */
function refuseForeignGround(path: string): void {
  for (let dir = path; ; dir = dirname(dir)) {
    const status = lstatSync(dir, { throwIfNoEntry: false })
    if (status !== undefined) {
      const { mode, uid } = status
      const othersMayRename = (mode & 0o022) !== 0 && (mode & 0o1000) === 0
      if (!status.isDirectory() || uid !== 0 || othersMayRename) {
        throw new HermesError(
          'REFUSED',
          `the run directory cannot be in ${dir}, which is not a directory of root's alone`,
          {
            next: 'leave HERMES_RUN_DIR unset, or let it name a place below directories of root',
          },
        )
      }
    }
    if (dir === dirname(dir)) return
  }
}

/**
 * If /run is writable for all users (`--tmpfs /run` is) and outlives a container, the runtime user can have put a
 * link in place of a directory that root is about to clear.
 */
function removePlanted(dir: string): void {
  const status = lstatSync(dir, { throwIfNoEntry: false })
  if (status !== undefined && !status.isDirectory()) rmSync(dir)
}

/**
 * The image ships these directories, empty, for the runtime user: `--user` cannot create them in /run. If root is
 * dropped, they must belong to root. An empty directory can be removed regardless of its owner; creating it again
 * needs no CAP_CHOWN. One that is not empty is refused later.
 */
function removeShipped(dir: string): void {
  const status = lstatSync(dir, { throwIfNoEntry: false })
  if (!status?.isDirectory() || status.uid === 0) return
  // Not empty, or a mount point: then it differs from the image's.
  unlessCode(['ENOTEMPTY', 'EEXIST', 'EBUSY'], () => rmdirSync(dir))
}

/** Path of the script that passes the container's environment to the main program. */
export const mainScript = ({ runDir }: RunPaths): string => join(runDir, 'main')
/** Path of the script that passes it to a hook, if there is no other way. */
export const hookScript = ({ runDir }: RunPaths): string => join(runDir, 'hook')

function makeDirectory(path: string, mode: number): void {
  mkdirSync(path, { recursive: true })
  const { uid } = lstatSync(path)
  // Not ours: created by the mount, and good enough if it is writable.
  if (uid === process.getuid?.()) chmodSync(path, mode) // mkdir's own mode passes through the umask
}

/** Makes the directory of the dispatcher's socket: the sign that the board is in a database. */
export function makeBoardDirectory(dir: string, owner: RuntimeIdentity | undefined): void {
  makeDirectory(dir, 0o700)
  if (owner !== undefined) lchownSync(dir, owner.uid, owner.gid)
}

/** Writes the file from which the shim learns which user a root `docker exec` becomes. */
export function writeIdentity(path: string, identity: RuntimeIdentity): void {
  writeFileSync(path, `${JSON.stringify(identity)}\n`, { mode: 0o644, flag: 'wx' })
}

/** Writes the pid that `halt` signals: init need not be PID 1. */
export const writeInitPid = (path: string): void => writeFileSync(path, `${process.pid}\n`, { mode: 0o644, flag: 'wx' })

/** Writes the sign that commands can reach this init; see `RunPaths.begun`. */
export function writeBegun(path: string): void {
  const first = readProcess(1)
  // Hidden by hidepid: clients cannot see it either, and do not wait.
  if (first !== undefined) writeFileSync(path, `${first.startTime}\n`, { mode: 0o644, flag: 'wx' })
}

/**
 * Makes the control socket listen. init holds it, so a client that connects while the supervisor is down waits for
 * the next one. It belongs to root, with the runtime user's group: an owner could close it to everyone by chmod.
 * @param fd of `Native.unixSocket`; undefined: a new one is made
 * @returns the listening fd, or one line with the reason why there is none
 */
export function listenForClients(
  native: Pick<Native, 'listenUnix'>,
  {
    path,
    fd,
    owner,
  }: { readonly path: string; readonly fd: number | undefined; readonly owner: RuntimeIdentity | undefined },
): number | string {
  const BACKLOG = 512
  try {
    const listening = native.listenUnix(path, BACKLOG, fd)
    chmodSync(path, 0o660)
    if (owner !== undefined) lchownSync(path, process.getuid?.() ?? 0, owner.gid)
    return listening
  } catch (error) {
    if (!(error instanceof NativeError || error instanceof RangeError)) throw error
    return `there is no control socket at ${path} (${error.message}); hermes commands cannot reach this supervisor`
  }
}
