/**
 * init's own look at the walls: reads the record and who owns what, decides by `judge`, gives each walled profile its
 * directory, and closes the rest of the volume to them. In a short-lived program, as root.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs'
import { hasCode } from '../system/error-code.ts'
import type { UidRange } from '../walls/range.ts'
import {
  type JudgedFacts,
  judge,
  MAX_RECORD_BYTES,
  parseWalls,
  type Verdict,
  WALLS_FILE,
  type Walls,
} from '../walls/record.ts'
import { closeVolume } from './close-volume.ts'
import { describeRepair, type RepairFacts, type RepairResult, repairVolume } from './repair.ts'

export interface WallsLookFacts extends Pick<JudgedFacts, 'known'> {
  readonly home: string
  /** The runtime user. */
  readonly uid: number
  readonly gid: number
  /** Device and inode of the volume, as texts. */
  readonly id: readonly [dev: string, ino: string]
  /** Absent: HERMES_PROFILE_UIDS is not set, or walls cannot be had here. */
  readonly range?: UidRange
  /** A profile whose wall goes: its record is gone already, its processes are ended, its files go back. */
  readonly takeDown?: string
}

/** Printed by the program as one line of JSON. */
export interface WallsLook extends Verdict {
  /** Why the record does not count. */
  readonly problem?: string
  /** The work of the repair, for people. */
  readonly line?: string
  readonly isClean: boolean
}

/** @throws Error when the volume cannot be opened */
export function lookAtWalls(facts: WallsLookFacts): WallsLook {
  const { home: path, uid, gid, range, takeDown } = facts
  const home = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const { dev, ino } = fstatSync(home, { bigint: true })
    if (String(dev) !== facts.id[0] || String(ino) !== facts.id[1])
      throw new Error('another directory has been put in its place since the boot began')
    const record = readRecord(home, uid)
    const owners = ownersIn(home)
    const known = Object.fromEntries(
      Object.entries(facts.known).filter(([name]) => name !== takeDown || has(record, name)),
    )
    const old = takeDown === undefined || has(record, takeDown) ? undefined : facts.known[takeDown]
    if (old !== undefined) endAllOf(old)
    if (takeDown !== undefined && old !== undefined) delete owners[takeDown]
    const verdict = judge({ range, record, owners, runtimeUid: uid, known })
    const refused: Record<string, string> = { ...verdict.refused }
    const uids = { ...verdict.uids }
    for (const [name, own] of Object.entries(uids)) {
      const living = Object.hasOwn(known, name) ? undefined : processOf(own)
      const why = living === undefined ? unfit(home, name) : `pid ${living} of uid ${own} lives already`
      if (why === undefined) continue
      refused[name] = why
      delete uids[name]
    }
    const repairFacts: RepairFacts = {
      home: path,
      uid,
      gid,
      id: { dev, ino },
      walls: { uids: new Map(Object.entries(uids)), untouched: new Set(Object.keys(refused)) },
    }
    const repaired = repairVolume(repairFacts)
    if (takeDown !== undefined && old !== undefined) openUnwalled(home, takeDown, uid)
    if (range !== undefined && (Object.keys(uids).length > 0 || old !== undefined)) closeVolume(home, uid)
    return {
      uids,
      refused,
      ...(typeof record === 'string' && { problem: record }),
      ...lineOf(repairFacts, repaired),
      isClean: repaired.failed === 0,
    }
  } finally {
    closeSync(home)
  }
}

/** As a profile that was never walled, but closed to those that are. */
function openUnwalled(home: number, name: string, uid: number): void {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  const fd = openSync(`/proc/self/fd/${home}/profiles/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    if (fstatSync(fd).uid === uid) fchmodSync(fd, 0o750)
  } finally {
    closeSync(fd)
  }
}

const has = (record: Walls | string, name: string): boolean => typeof record !== 'string' && record.has(name)

function lineOf(facts: RepairFacts, repaired: RepairResult): Pick<WallsLook, 'line'> {
  const line = describeRepair(facts, repaired)
  return line === undefined ? {} : { line }
}

/** @returns the record, or why it does not count; none at all is an empty one */
export function readRecord(home: number, uid: number): Walls | string {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  let fd: number
  try {
    fd = openSync(`/proc/self/fd/${home}/${WALLS_FILE}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return new Map()
    return hasCode(error, 'ELOOP')
      ? 'it is a symbolic link'
      : `it cannot be opened (${(error as NodeJS.ErrnoException).code})`
  }
  try {
    const status = fstatSync(fd)
    const { mode, nlink, size, uid: owner } = status
    if (!status.isFile()) return 'it is not a regular file'
    if (nlink !== 1) return 'it has several names'
    if (owner !== uid) return `it belongs to uid ${owner}, not ${uid}`
    if ((mode & 0o077) !== 0) return `it is open to others (mode ${(mode & 0o7777).toString(8)}); run: chmod 600`
    if (size > MAX_RECORD_BYTES) return `it is larger than ${MAX_RECORD_BYTES} bytes`
    const buffer = Buffer.alloc(MAX_RECORD_BYTES + 1)
    let length = 0
    for (let got = -1; got !== 0 && length < buffer.length; length += got)
      got = readSync(fd, buffer, length, buffer.length - length, null)
    if (length > MAX_RECORD_BYTES) return `it is larger than ${MAX_RECORD_BYTES} bytes`
    return parseWalls(buffer.subarray(0, length).toString('utf8'))
  } finally {
    closeSync(fd)
  }
}

/** Owners of what lies in `profiles/`, links not followed. */
function ownersIn(home: number): Record<string, number> {
  const dir = `/proc/self/fd/${home}/profiles`
  const owners: Record<string, number> = {}
  try {
    if (!lstatSync(dir).isDirectory()) return owners
    for (const name of readdirSync(dir)) {
      const status = lstatSync(`${dir}/${name}`, { throwIfNoEntry: false })
      if (status !== undefined) owners[name] = status.uid
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  return owners
}

/** Why this profile cannot be walled. */
function unfit(home: number, name: string): string | undefined {
  const status = lstatSync(`/proc/self/fd/${home}/profiles/${name}`, { throwIfNoEntry: false })
  if (status === undefined) return 'it has no directory'
  if (!status.isDirectory()) return 'its directory is a link, which cannot be walled'
  return status.dev === fstatSync(home).dev ? undefined : 'its directory is a mount of its own, which cannot be walled'
}

/** A process of this user; undefined: there is none. */
function processOf(uid: number): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const status = readFileSync(`/proc/${name}/status`, 'latin1')
      const ids = /^Uid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? []
      const isZombie = /^State:\s*Z/m.test(status)
      if (!isZombie && ids.includes(String(uid))) return Number(name)
    } catch {
      // It has ended.
    }
  }
  return undefined
}

const ROUNDS = 1_000

/** Kills until none is left. Each round kills what the one before has forked in the meantime. */
function endAllOf(uid: number): void {
  for (let round = 0; round < ROUNDS; round += 1) {
    const pid = processOf(uid)
    if (pid === undefined) return
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error
    }
  }
  throw new Error(`processes of uid ${uid} cannot be ended`)
}
