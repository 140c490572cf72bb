/**
 * The owners of walled profiles, for programs that act in their directories. The command and the settings that a walled
 * profile has written are only ever carried out as its own user.
 */
import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { HermesError } from '../system/errors.ts'
import { readSmallFile } from '../system/files/small-file.ts'
import { below, profileDir } from '../system/paths.ts'
import { MAX_RECORD_BYTES, parseWalls, WALLS_FILE, type Walls } from '../walls/record.ts'
import { DEFAULT_PROFILE } from './names.ts'

/** The record as the runtime user reads it; a text: why it cannot be used. Empty where there is none. */
export function readWalls(home: string): Walls | string {
  const { text, problem } = readSmallFile(below(home, WALLS_FILE), MAX_RECORD_BYTES)
  if (problem !== undefined) return `it ${problem}`
  return text === undefined ? new Map() : parseWalls(text)
}

/** @returns the uid of a walled profile; undefined: it is not walled */
export function walledUid(home: string, profile: string): number | undefined {
  if (profile === DEFAULT_PROFILE) return undefined
  const walls = readWalls(home)
  if (typeof walls !== 'string') return walls.get(profile)?.uid
  // A walled profile itself may not read the record, but it can see whose its directory is.
  return statSync(profileDir(home, profile), { throwIfNoEntry: false })?.uid
}

/** @throws HermesError REFUSED if the profile is walled and this process is not of its user */
export function requireOwnUser(home: string, profile: string): void {
  const uid = walledUid(home, profile)
  if (uid === undefined || uid === process.getuid?.()) return
  throw new HermesError(
    'REFUSED',
    `profile "${profile}" is walled: only its own user (uid ${uid}) acts in ${profileDir(home, profile)}`,
    { next: `run the command as root, which becomes that user: docker exec -u 0 CONTAINER hermes -p ${profile} …` },
  )
}

/** The same for a profile's directory; another directory may be of any user. */
export function requireOwnDirectory(dir: string): void {
  const profiles = dirname(dir)
  if (basename(profiles) === 'profiles') requireOwnUser(dirname(profiles), basename(dir))
}

/**
 * @param verb such as `renamed`
 * @throws HermesError REFUSED for a walled profile
 */
export function refuseWalled(home: string, profile: string, verb: string): void {
  const uid = walledUid(home, profile)
  if (uid === undefined || (typeof readWalls(home) === 'string' && uid === process.getuid?.())) return
  throw new HermesError('REFUSED', `profile "${profile}" is walled (uid ${uid}), so it cannot be ${verb}`, {
    next: `take its wall down first: hermes profile wall ${profile} --off`,
  })
}
