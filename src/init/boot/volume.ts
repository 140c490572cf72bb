import * as fs from 'node:fs'
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { formerGid, isUsable, KNOWN_DIRECTORIES, KNOWN_FILES } from '../../repair/known.ts'
import { HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { SECRET_FILES } from '../../system/paths.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import type { Processes } from '../processes/processes.ts'
import type { Home } from './home.ts'

// node:fs/promises takes a millisecond of every boot to load.
const stat = promisify(fs.stat)
const lstat = promisify(fs.lstat)

export interface VolumeOptions {
  readonly home: string
  /** The directory that was opened as the volume. */
  readonly homeId: Home['id']
  readonly identity: RuntimeIdentity
  /** setpriv with its options, where root is dropped. */
  readonly prefix: readonly string[]
  readonly dropped: boolean
  readonly processes: Processes
  /** The program that gives files back: Node and repair.cjs. */
  readonly repair: readonly string[]
  /** Repairs as well, and gives walled profiles their own files; absent: no profile is walled. */
  readonly walls?: () => Promise<void>
  readonly log: (level: Level, text: string) => void
}

/**
 * Gives the runtime user its files in the volume (root only), and checks that it can write there. init opens nothing
 * in the volume itself: one short-lived child looks, another repairs, a third checks. init's own checks use the
 * thread pool: a network mount that hangs must not block PID 1.
 * @returns one line with the reason why the volume cannot be used; undefined: it can
 */
export async function prepareVolume(o: VolumeOptions): Promise<string | undefined> {
  if (!o.dropped) return whyUnwritable(o)
  if (o.walls !== undefined) {
    await o.walls()
    return whyUnwritable(o)
  }
  // Side by side: nearly every volume is clean, and then both answers are all there is to wait for.
  const [isForeign, problem] = await Promise.all([
    // No find here, or root may not look in there (no CAP_DAC_OVERRIDE): the repair looks itself, or reports why it
    // cannot.
    looksForeign(o).catch(() => true),
    whyUnwritable(o),
  ])
  if (!isForeign) return problem
  await repair(o)
  return whyUnwritable(o)
}

/** @returns one line with the reason why the runtime user cannot write in the volume; undefined: it can */
export async function whyUnwritable(o: VolumeOptions): Promise<string | undefined> {
  return (await isWritable(o)) ? undefined : describeUnwritable(o, await stat(o.home))
}

/**
 * If root is not dropped, init and the run directory write as ourselves, so this can be checked at once.
 * @throws HermesError with the reason why the volume cannot be used, and the next step
 */
export function requireWritable(o: Pick<VolumeOptions, 'home' | 'identity' | 'dropped'>): void {
  try {
    accessSync(o.home, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new HermesError('FAILED', describeUnwritable(o, statSync(o.home)), { cause: error })
  }
}

/**
 * Tells whether anything may need repair. find(1) answers for 100,000 files in a tenth of a second, and most boots
 * end here: starting a Node program for the same answer would cost 40 ms each time.
 */
async function looksForeign({ home, identity, processes }: VolumeOptions): Promise<boolean> {
  const top = await stat(home)
  if (top.uid !== identity.uid || formerGid(top, identity.gid) !== undefined || !isUsable(top.mode)) return true
  const look = async (name: string) => ({ path: join(home, name), status: await lookAt(join(home, name)) })
  const secrets = await Promise.all(SECRET_FILES.map(look))
  if (secrets.some(({ status }) => status?.isFile() === true && (status.mode & 0o077) !== 0)) return true
  const known = await Promise.all([...KNOWN_DIRECTORIES, ...KNOWN_FILES].map(look))
  if (known.some(({ status }) => status?.isDirectory() === true && !isUsable(status.mode))) return true
  const places = known.filter(({ status }) => status !== undefined).map(({ path }) => path)
  if (places.length === 0) return false
  // -quit: one is enough. Both GNU's and busybox's find take a number for -user.
  const args = ['-P', ...places, '-xdev', '!', '-user', String(identity.uid), '-print', '-quit']
  const found = await processes.output(['/usr/bin/find', ...args], { env: ROOT_ENV, stderr: 'ignore', maxChars: 1 })
  return found.text !== ''
}

/** @returns undefined: there is no such name */
const lookAt = (path: string): Promise<Stats | undefined> =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

async function repair({ home, homeId, identity, processes, repair: program, log }: VolumeOptions): Promise<void> {
  const command = [...program, ...[home, identity.uid, identity.gid, homeId.dev, homeId.ino].map(String)]
  try {
    const { text, ending } = await processes.output(command, { env: ROOT_ENV, stderr: 2, maxChars: 4096 })
    const isClean = 'exitCode' in ending && ending.exitCode === 0
    if (text.trim() !== '') log(isClean ? 'info' : 'warn', text.trim())
    else if (!isClean) log('warn', `the ownership repair of ${home} failed: ${JSON.stringify(ending)}`)
  } catch (error) {
    log('warn', `the ownership repair of ${home} cannot be started: ${(error as Error).message}`)
  }
}

/**
 * Asked of the kernel by the runtime user itself: modes alone do not tell about read-only mounts, ACLs and network
 * mounts.
 */
async function isWritable({ home, prefix, processes }: VolumeOptions): Promise<boolean> {
  const [file = '', ...args] = [...prefix, '/bin/sh', '-c', '[ -w "$1" ] && [ -x "$1" ]', 'sh', home]
  const { ended } = await processes.start(file, args, {
    cwd: '/',
    env: { ...ROOT_ENV },
    stdio: 'ignore',
  })
  const ending = await ended
  return 'exitCode' in ending && ending.exitCode === 0
}

function describeUnwritable(
  { home, identity: { uid, gid }, dropped }: Pick<VolumeOptions, 'home' | 'identity' | 'dropped'>,
  status: Stats,
): string {
  const mode = (status.mode & 0o7777).toString(8).padStart(4, '0')
  const what = `${home} cannot be written: it belongs to ${status.uid}:${status.gid}, mode ${mode}, and we are ${uid}:${gid}`
  const repairIt = `run "chown -R ${uid}:${gid} FOLDER" on the host, FOLDER being what is mounted at ${home}`
  return dropped
    ? `${what}; is it mounted read-only? If not, ${repairIt}`
    : `${what}; start the container as root with HERMES_UID=${status.uid || uid} (or PUID) instead of --user, or ${repairIt}`
}
