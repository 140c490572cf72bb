/**
 * The record of the walled profiles, `walls.json` at the top of the volume: what counts from the first start on,
 * whatever the file of a profile says later.
 */
import { isIn, type UidRange } from './range.ts'

export const WALLS_FILE = 'walls.json'
export const MAX_RECORD_BYTES = 256 * 1024

/** The facts with which a profile was walled. */
export interface Wall {
  readonly uid: number
  /** `gateway.essential` at that time. */
  readonly essential: boolean
  /** `gateway.memory_limit` at that time, in bytes; null: none. */
  readonly memoryLimit: number | null
}

export type Walls = ReadonlyMap<string, Wall>

/** A profile's directory in `profiles/`; never the default profile. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
const LOWEST_ID = 1_000
const HIGHEST_ID = 65_533

/** @returns the record, or why none of it counts: one bad entry may hide another */
export function parseWalls(text: string): Walls | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  if (!isObject(value) || value.v !== 1 || !isObject(value.profiles)) return 'it is not a record of walled profiles'
  const walls = new Map<string, Wall>()
  const uids = new Set<number>()
  for (const [name, entry] of Object.entries(value.profiles)) {
    if (!NAME.test(name) || name === 'default') return `${JSON.stringify(name.slice(0, 70))} is not a name of a profile`
    const wall = parseWall(entry)
    if (wall === undefined) return `the entry of "${name}" is not valid`
    if (uids.has(wall.uid)) return `two profiles have uid ${wall.uid}`
    uids.add(wall.uid)
    walls.set(name, wall)
  }
  // A name that is there twice is one entry by now, and its first uid would be free.
  return walls.size === countNames(text) ? walls : 'a profile is in it twice'
}

function parseWall(value: unknown): Wall | undefined {
  if (!isObject(value)) return undefined
  const { uid, essential, memory_limit: memoryLimit } = value
  const isUid = typeof uid === 'number' && Number.isInteger(uid) && uid >= LOWEST_ID && uid <= HIGHEST_ID
  const isLimit = memoryLimit === null || (typeof memoryLimit === 'number' && memoryLimit > 0)
  return isUid && typeof essential === 'boolean' && isLimit ? { uid, essential, memoryLimit } : undefined
}

const countNames = (text: string): number => text.split('"uid"').length - 1

export const recordText = (walls: Walls): string => {
  const profiles = [...walls].map(([name, { uid, essential, memoryLimit }]) => [
    name,
    { uid, essential, memory_limit: memoryLimit },
  ])
  return `${JSON.stringify({ v: 1, profiles: Object.fromEntries(profiles) })}\n`
}

/** The lowest id that no profile has; undefined: all are taken. */
export function freeUid({ first, last }: UidRange, walls: Walls): number | undefined {
  const taken = new Set([...walls.values()].map(({ uid }) => uid))
  for (let uid = first; uid <= last; uid += 1) if (!taken.has(uid)) return uid
  return undefined
}

/** The conclusion of init from the record. */
export interface Verdict {
  /** Profiles and the ids they run as. */
  readonly uids: Readonly<Record<string, number>>
  /** Profiles that must not run at all, and why. */
  readonly refused: Readonly<Record<string, string>>
}

export interface JudgedFacts {
  /** Absent: HERMES_PROFILE_UIDS is not set. */
  readonly range: UidRange | undefined
  /** The record, or why it does not count. */
  readonly record: Walls | string
  /** Owners of the directories in `profiles/`. */
  readonly owners: Readonly<Record<string, number>>
  /** The runtime user. */
  readonly runtimeUid: number
  /** Ids that this life of the container has given already: an id never changes within a life. */
  readonly known: Readonly<Record<string, number>>
}

/** Decides who runs as whom. A profile that is, or was, behind a wall never becomes one that is not. */
export function judge({ range, record, owners, runtimeUid, known }: JudgedFacts): Verdict {
  const uids: Record<string, number> = {}
  const refused: Record<string, string> = {}
  const walls: Walls = typeof record === 'string' ? new Map() : record
  for (const [name, { uid }] of walls) {
    const why = whyNot(name, uid, range, known)
    if (why === undefined) uids[name] = uid
    else refused[name] = why
  }
  for (const [name, uid] of Object.entries(known))
    if (!walls.has(name) && Object.hasOwn(owners, name))
      refused[name] = `it runs as uid ${uid}, and ${missingIn(record)}`
  // Without a record that counts, and without a range, every id that a profile may have had is one.
  const isOwn = (uid: number): boolean =>
    range === undefined ? typeof record === 'string' && uid >= LOWEST_ID && uid !== runtimeUid : isIn(range, uid)
  for (const [name, uid] of Object.entries(owners)) {
    if (!isOwn(uid) || walls.has(name) || Object.hasOwn(refused, name)) continue
    refused[name] = `its directory belongs to uid ${uid}, and ${missingIn(record)}`
  }
  return { uids, refused }
}

function whyNot(
  name: string,
  uid: number,
  range: UidRange | undefined,
  known: Readonly<Record<string, number>>,
): string | undefined {
  if (range === undefined) return `${WALLS_FILE} has it as walled, and HERMES_PROFILE_UIDS is not set`
  if (!isIn(range, uid)) return `${WALLS_FILE} has uid ${uid} for it, which is not in ${range.first}-${range.last}`
  const before = Object.hasOwn(known, name) ? known[name] : undefined
  if (before !== undefined && before !== uid) return `its uid was changed from ${before} to ${uid} in ${WALLS_FILE}`
  const other = Object.entries(known).find(([one, id]) => id === uid && one !== name)
  return other && `uid ${uid} is still that of "${other[0]}" until the container is started again`
}

const missingIn = (record: Walls | string): string =>
  typeof record === 'string' ? `${WALLS_FILE} cannot be used: ${record}` : `${WALLS_FILE} does not have it`

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
