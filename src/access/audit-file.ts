/** `logs/audit.log`, which the supervisor, the dashboard and commands write line by line. */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../system/clock.ts'
import { unlessCode } from '../system/error-code.ts'
import { makeDirectory } from '../system/files/directory.ts'
import { homePaths } from '../system/paths.ts'
import { auditLine, type Change } from './audit-entry.ts'

/** Beyond it the file is moved aside. */
export const MAX_AUDIT_BYTES = 5_000_000
export const KEPT_AUDIT_FILES = 3

const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
const NEWLINE = 10

export interface AuditFacts {
  readonly home: string
  readonly clock: Pick<Clock, 'wallMs'>
  /** Called once per failure, and again only after a success in between. */
  readonly warn: (text: string) => void
}

/** Writes changes down. A line that cannot be written is reported, and the change takes place all the same. */
export class AuditFile {
  readonly #facts: AuditFacts
  #failed = false

  constructor(facts: AuditFacts) {
    this.#facts = facts
  }

  /** Never throws. */
  write(change: Change): void {
    const { home, clock, warn } = this.#facts
    try {
      appendAudit(home, auditLine(change, clock.wallMs()))
      this.#failed = false
    } catch (error) {
      if (!this.#failed)
        warn(
          `${homePaths(home).auditLog}: ${(error as Error).message}; changes are missing there until that is repaired`,
        )
      this.#failed = true
    }
  }
}

/**
 * Appends a line. Several processes do that at once, so it is one write to the end of the file.
 * @throws Error when something else is in the place of the file; the error of the file system
 */
export function appendAudit(home: string, line: string): void {
  const { auditLog } = homePaths(home)
  makeDirectory(dirname(auditLog))
  const bytes = Buffer.from(line)
  let fd = openToAppend(auditLog)
  try {
    if (fstatSync(fd).size + bytes.length > MAX_AUDIT_BYTES && isStill(auditLog, fd)) {
      rotate(auditLog)
      closeSync(fd)
      fd = openToAppend(auditLog)
    }
    // After a full disk, the last line may be torn: it must not take this one with it.
    const text = endsWithLine(fd) ? bytes : Buffer.concat([Buffer.from('\n'), bytes])
    if (writeSync(fd, text) < text.length) throw new Error('the disk is full')
  } finally {
    closeSync(fd)
  }
}

/** The volume belongs to the runtime user: what is in the place of the file can lead elsewhere. */
function openToAppend(file: string): number {
  const fd = openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile() || stat.nlink > 1) throw new Error('it is not a regular file of its own; remove it')
    // A command that stays root must not make a file that nothing else can write.
    if (stat.uid === 0 && stat.size === 0 && process.geteuid?.() === 0) giveToOwnerOf(dirname(file), fd)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function giveToOwnerOf(dir: string, fd: number): void {
  const { uid, gid } = lstatSync(dir)
  if (uid !== 0) fchownSync(fd, uid, gid)
}

function endsWithLine(fd: number): boolean {
  const { size } = fstatSync(fd)
  const last = Buffer.alloc(1)
  return size === 0 || readSync(fd, last, 0, 1, size - 1) === 0 || last[0] === NEWLINE
}

const isStill = (file: string, fd: number): boolean =>
  lstatSync(file, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino

/**
 * Moves each file one number on. If two processes do so at once, the later one finds names that are gone: no line is
 * lost but those of the oldest file.
 */
function rotate(file: string): void {
  for (let number = KEPT_AUDIT_FILES; number >= 1; number--)
    unlessCode(['ENOENT'], () => renameSync(number === 1 ? file : `${file}.${number - 1}`, `${file}.${number}`))
}
