/** Whether the file system of the volume is nearly full. */
import { statfsSync } from 'node:fs'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'

export const DISK_NOTE = 'disk'
/** Less than this is nearly full: logs and databases soon cannot be written. */
export const FULL_BYTES = 64 * 1024 * 1024
/** It counts as free again from here on, so that one file more or less makes no message. */
const FREE_BYTES = 2 * FULL_BYTES

export interface DiskLook {
  readonly notes: readonly Note[]
  readonly observed: readonly Observed[]
}

/**
 * @param known as the outbox has it
 * @param freeBytes that this user may still write
 */
export function lookAtDisk(known: unknown, freeBytes: number, home: string, wallMs: number): DiskLook {
  const wasFull = known === true
  if (wasFull && freeBytes >= FREE_BYTES) return { notes: [{ subject: DISK_NOTE, value: undefined }], observed: [] }
  if (wasFull || freeBytes >= FULL_BYTES) return { notes: [], observed: [] }
  const left = `${Math.floor(freeBytes / 1024 / 1024)} MB are left`
  const text = `the disk of ${home} is nearly full: ${left}; free some space: df -h ${home}`
  return { notes: [{ subject: DISK_NOTE, value: true }], observed: [{ event: 'disk_full', atMs: wallMs, text }] }
}

/** @returns bytes; undefined: it cannot be found out */
export function freeBytesOf(home: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(home)
    return bavail * bsize
  } catch {
    return undefined // the volume is away; what needs it reports that
  }
}
