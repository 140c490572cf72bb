/** The ids that a container has for walled profiles (HERMES_PROFILE_UIDS). */

/** Both ends belong to it. */
export interface UidRange {
  readonly first: number
  readonly last: number
}

const LOWEST = 1_000
const HIGHEST = 65_533

const EXPECTED = `expected two ids from ${LOWEST} to ${HIGHEST}, such as 20000-29999`

/** @returns the range, or what is wrong with the text */
export function parseRange(text: string): UidRange | string {
  const [, low = '', high = ''] = /^(\d{4,5})-(\d{4,5})$/.exec(text) ?? []
  const [first, last] = [Number(low), Number(high)]
  if (first < LOWEST || last > HIGHEST || first > last) return `${EXPECTED}, got ${JSON.stringify(text)}`
  return { first, last }
}

export const isIn = ({ first, last }: UidRange, id: number): boolean => id >= first && id <= last

/** Facts about a container that may rule a range out. */
export interface Surroundings {
  /** The runtime user's ids. */
  readonly uid: number
  readonly gid: number
  /** Ids that the image gives to its users and groups, with their names. */
  readonly accounts: readonly { readonly name: string; readonly id: number }[]
  /** Texts of /proc/self/uid_map and gid_map; empty: all ids exist. */
  readonly idMaps: readonly string[]
}

/** Why no profile can have an id of this range; undefined: it is free. */
export function rangeProblem(range: UidRange, { uid, gid, accounts, idMaps }: Surroundings): string | undefined {
  const text = `${range.first}-${range.last}`
  if (isIn(range, uid) || isIn(range, gid)) return `${text} contains an id of the runtime user (${uid}:${gid})`
  const taken = accounts.find(({ id }) => isIn(range, id))
  if (taken !== undefined) return `${text} contains ${taken.id}, the id of "${taken.name}" in the image`
  return idMaps.every((map) => isMapped(map, range)) ? undefined : `${text} does not exist in this user namespace`
}

/** A line names ids inside, ids outside, and how many; one of them must have them all. */
const isMapped = (map: string, { first, last }: UidRange): boolean =>
  map.trim() === '' ||
  map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([start = 0, , length = 0]) => first >= start && last < start + length)
