import { linkSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { profileDir } from '../../system/paths.ts'
import { readLiving } from '../../system/programs/proc.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { unwritable } from '../unwritable.ts'
import { runsGatewayOf } from './gateway-process.ts'

/**
 * The process named by a gateway.pid. A pid alone may belong to another process by now; together with its start time
 * it does not.
 */
export interface Holder {
  readonly pid: number
  /** Field 22 of /proc/pid/stat, in clock ticks; absent in a file that another program wrote. */
  readonly start_time?: number
  /** The profile whose gateway wrote it; absent in the same case. */
  readonly profile?: string
}

const FILE = 'gateway.pid'
const MAX_BYTES = 4096
/** File systems without hard links (FAT, some network mounts) say one of these. */
const NO_ROOM = ['ENOSPC', 'EDQUOT']
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/**
 * Takes `gateway.pid` of a profile for this process: one gateway per profile. The file of a process that is gone is
 * replaced. On a full disk the gateway runs without the file: a container that is restarted then must not lose its
 * gateways.
 * @param dir the profile's directory
 * @param warn called when there is no space for the file
 * @returns a function that gives it back
 * @throws HermesError REFUSED naming the living holder
 */
export function takePidFile(dir: string, profile: string, warn: (text: string) => void, pid = process.pid): () => void {
  const file = join(dir, FILE)
  const own = { ...holderOf(pid), profile }
  const livingIn = (path: string): Holder | undefined => living(readHolder(path), dir, profile)
  const scratch = join(dir, `.${FILE}.${own.pid}.${own.start_time}`)
  try {
    // Written first and then linked: a reader never sees half a file, and of two writers at once, one gets EEXIST.
    writeFileSync(scratch, `${JSON.stringify(own)}\n`)
    while (!linked(scratch, file)) {
      const holder = livingIn(file)
      if (holder && holder.pid !== own.pid) throw refused(profile, holder, file)
      removeStale(file, `${scratch}.stale`, profile, livingIn)
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    const holder = livingIn(file)
    // No start can change that: the slot is parked with this message.
    if (!NO_ROOM.includes(code) || (holder && holder.pid !== own.pid))
      throw unwritable(dir, error, EXIT.permanentFailure) ?? error
    warn(`no room for ${file} (${code}): a second gateway of "${profile}", started by hand, would not be noticed`)
  } finally {
    unlinkIfThere(scratch)
  }
  return () => {
    if (readHolder(file)?.pid === own.pid) unlinkIfThere(file)
  }
}

/**
 * The living gateway that `gateway.pid` of a profile names; undefined when there is none.
 * @param dir the profile's directory
 */
export const livingHolder = (dir: string, profile: string): Holder | undefined =>
  living(readHolder(join(dir, FILE)), dir, profile)

/** A pid alone proves little: the process must be a gateway of this profile. */
function living(holder: Holder | undefined, dir: string, profile: string): Holder | undefined {
  const startTime = holder && readLiving(holder.pid)?.startTime
  if (holder === undefined || startTime === undefined) return undefined
  const home = profile === DEFAULT_PROFILE ? dir : dirname(dirname(dir))
  const isIt =
    holder.start_time === undefined
      ? runsGatewayOf(holder.pid, profile, home)
      : startTime === holder.start_time && !isCopied(holder, home, profile)
  return isIt ? holder : undefined
}

/** The file was copied with another profile's directory, and names that profile's gateway. */
function isCopied({ pid, start_time, profile: writtenFor }: Holder, home: string, profile: string): boolean {
  if (writtenFor === undefined || writtenFor === profile) return false
  const original = readHolder(join(profileDir(home, writtenFor), FILE))
  return original?.pid === pid && original.start_time === start_time
}

const refused = (profile: string, holder: Holder, file: string): HermesError =>
  new HermesError('REFUSED', `the gateway of "${profile}" is already running: pid ${holder.pid} holds ${file}`, {
    next: `hermes -p ${profile} gateway status; hermes -p ${profile} gateway stop`,
  })

function linked(scratch: string, file: string): boolean {
  try {
    linkSync(scratch, file)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'EEXIST') return false
    if (!NO_LINKS.includes(code)) throw error
    if (readHolder(file)) return false
    renameSync(scratch, file)
    return true
  }
}

/**
 * Moves the file aside and looks at it there: between our reading and our removing a faster one may have put its own.
 */
function removeStale(
  file: string,
  aside: string,
  profile: string,
  livingIn: (file: string) => Holder | undefined,
): void {
  unlessCode(['ENOENT'], () => renameSync(file, aside))
  const holder = livingIn(aside)
  if (holder && holder.pid !== process.pid) {
    linked(aside, file)
    unlinkIfThere(aside)
    throw refused(profile, holder, file)
  }
  unlinkIfThere(aside)
}

function readHolder(file: string): Holder | undefined {
  const { text } = readSmallFile(file, MAX_BYTES)
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as { readonly [key: string]: unknown } | number | null
    const { pid, start_time, profile } = typeof value === 'number' ? { pid: value } : (value ?? {})
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return undefined
    return {
      pid,
      ...(typeof start_time === 'number' && { start_time }),
      ...(typeof profile === 'string' && { profile }),
    }
  } catch {
    // Not ours, or torn: no holder.
    return undefined
  }
}

function holderOf(pid: number): Holder & { readonly start_time: number } {
  const startTime = readLiving(pid)?.startTime
  if (startTime !== undefined) return { pid, start_time: startTime }
  throw new HermesError('FAILED', `/proc/${pid}/stat cannot be read`, { next: 'mount /proc' })
}

/** EROFS also occurs for a missing file. */
const unlinkIfThere = (file: string): void => unlessCode(['ENOENT', 'EROFS', 'EACCES'], () => unlinkSync(file))
