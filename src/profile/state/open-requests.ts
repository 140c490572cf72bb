/**
 * `logs/open-requests.json` of a profile: requests that its gateway has had open for more than a few seconds. The
 * gateway writes it, and the supervisor reads it for `health`. Others may write it, too: it is only believed about the
 * process that it names.
 */
import { rmSync } from 'node:fs'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallRecord } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'

export interface OpenRequests {
  readonly open: number
  /** Unix ms: begin of the oldest one. */
  readonly oldestAtMs: number
}

const MAX_BYTES = 4096
const fileOf = (dir: string): string => below(dir, 'logs', 'open-requests.json')

/** @param dir the profile's @param pid the gateway's @throws the error of the file system */
export const writeOpenRequests = (dir: string, pid: number, { open, oldestAtMs }: OpenRequests): void =>
  replaceFileSync(fileOf(dir), `${JSON.stringify({ pid, open, oldest: new Date(oldestAtMs).toISOString() })}\n`, {
    mode: 0o644,
  })

/** @throws the error of the file system */
export const removeOpenRequests = (dir: string): void => rmSync(fileOf(dir), { force: true })

/** Requests that this process has open; undefined: none, or it does not say. Never throws. */
export function readOpenRequests(dir: string, pid: number): OpenRequests | undefined {
  const value = readSmallRecord(fileOf(dir), MAX_BYTES)
  if (value === undefined || value.pid !== pid || !Number.isSafeInteger(value.open)) return undefined
  const oldestAtMs = Date.parse(String(value.oldest))
  return Number.isNaN(oldestAtMs) ? undefined : { open: Number(value.open), oldestAtMs }
}
