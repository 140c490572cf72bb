/**
 * Archives: a full `current` becomes `20261122T121518.810Z.log`, named after the instant of rotation. Names only ever
 * go up, even when the clock goes back, so sorting them gives the order of writing. s6-log's archives (`@<TAI64N>.s`,
 * `.u`), left by what ran on this volume before, count as archives too.
 */
import { unixMsOf } from '../protocol/s6.ts'

const OURS = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z\.log$/
const S6 = /^@([0-9a-f]{24})\.[su]$/

// A later name cannot be an archive's: a hostile or torn one must not push our own names beyond the last possible date.
const LATEST_MS = Date.UTC(9999, 0)

export const archiveName = (atMs: number): string =>
  `${new Date(Math.min(LATEST_MS, Math.max(0, Math.trunc(atMs)))).toISOString().replace(/[-:]/g, '')}.log`

/** When an archive was rotated, Unix ms, by its name; undefined: the name is not an archive's. */
export function archiveAtMs(name: string): number | undefined {
  const ours = OURS.exec(name)
  if (ours) {
    const atMs = Date.parse(`${ours[1]}-${ours[2]}-${ours[3]}T${ours[4]}:${ours[5]}:${ours[6]}.${ours[7]}Z`)
    return atMs < LATEST_MS ? atMs : undefined // NaN (month 13) is not below either
  }
  const stamp = S6.exec(name)?.[1]
  if (stamp === undefined) return undefined
  const atMs = Math.floor(unixMsOf(stamp))
  return atMs >= 0 && atMs < LATEST_MS ? atMs : undefined
}

/** The archives among these names, oldest first. */
export function sortArchives(names: readonly string[]): readonly string[] {
  const dated = names.flatMap((name) => {
    const atMs = archiveAtMs(name)
    return atMs === undefined ? [] : [{ name, atMs }]
  })
  dated.sort((a, b) => a.atMs - b.atMs || (a.name < b.name ? -1 : 1))
  return dated.map(({ name }) => name)
}

export interface RotationPlan {
  /** New name of `current`. */
  readonly archive: string
  /** Archives that are then too many, oldest first. */
  readonly remove: readonly string[]
}

/**
 * @param names all names in the log directory
 * @param keep archives that may stay, the new one included; 0 keeps none
 */
export function planRotation(names: readonly string[], wallMs: number, keep: number): RotationPlan {
  const archives = sortArchives(names)
  const last = archives.at(-1)
  const lastMs = last === undefined ? Number.NEGATIVE_INFINITY : (archiveAtMs(last) as number)
  const archive = archiveName(Math.max(wallMs, lastMs + 1))
  const all = [...archives, archive]
  return { archive, remove: all.slice(0, Math.max(0, all.length - keep)) }
}
