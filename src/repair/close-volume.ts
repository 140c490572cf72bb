/**
 * What a walled profile must pass through, it may pass through and no more; what it has no business in, it may not
 * enter. By root, before the first walled gateway starts.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs'
import { O_PATH } from '../system/files/mounts.ts'
import { KNOWN_DIRECTORIES, KNOWN_FILES, KNOWN_PREFIXES } from './known.ts'

const { O_NOFOLLOW } = constants
const OTHERS = 0o007
const PASS = 0o001

/**
 * @param home the opened volume
 * @param uid the runtime user: what belongs to others is theirs to open and to close
 */
export function closeVolume(home: number, uid: number): void {
  const known = (name: string): boolean =>
    [...KNOWN_DIRECTORIES, ...KNOWN_FILES].some((one) => one === name) ||
    KNOWN_PREFIXES.some((prefix) => name.startsWith(prefix))
  for (const name of readdirSync(self(home))) if (name !== 'profiles' && known(name)) changeOthers(home, name, 0, uid)
  const profiles = changeOthers(home, 'profiles', PASS, uid)
  if (profiles !== undefined) {
    for (const name of readdirSync(self(profiles))) changeOthers(profiles, name, 0, uid)
    closeSync(profiles)
  }
  setOthers(home, PASS)
}

/** @returns the descriptor of a directory that is passed through; undefined: it is not there, or not ours */
function changeOthers(parent: number, name: string, others: number, uid: number): number | undefined {
  let fd: number
  try {
    fd = openSync(`${self(parent)}/${name}`, O_PATH | O_NOFOLLOW)
  } catch {
    return undefined // it went while we looked, or is a name that Node cannot pass on: of no profile
  }
  const status = fstatSync(fd)
  const isOurs = status.uid === uid && (status.isDirectory() || (status.isFile() && status.nlink === 1))
  if (isOurs) setOthers(fd, others)
  if (isOurs && others === PASS && status.isDirectory()) return fd
  closeSync(fd)
  return undefined
}

function setOthers(fd: number, others: number): void {
  const { mode } = fstatSync(fd)
  if ((mode & OTHERS) !== others) chmodSync(self(fd), (mode & 0o7770) | others)
}

const self = (fd: number): string => `/proc/self/fd/${fd}`
