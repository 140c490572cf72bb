/**
 * Stamps: RFC 3339 in UTC with milliseconds, then one space, before each line of a log file: `2026-11-22T12:15:18.810Z
 * `. All have one width, so they compare as text.
 */
export const STAMP_BYTES = 25

// Outside these years toISOString writes a sign and six digits, which would break the width; no honest clock says so.
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const clamp = (wallMs: number): number => Math.min(LAST_MS, Math.max(0, Math.trunc(wallMs) || 0))

/** @param wallMs Unix time in milliseconds; before 1970 and after 9999 are taken as those bounds */
export const stampText = (wallMs: number): string => `${new Date(clamp(wallMs)).toISOString()} `

const STAMPED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /

/**
 * The stamp of a line.
 * @returns the instant as it is written and in ms, or undefined when the line bears none (a foreign file, a torn line)
 */
export function readStamp(line: string): { readonly at: string; readonly atMs: number } | undefined {
  if (!STAMPED.test(line)) return undefined
  const at = line.slice(0, STAMP_BYTES - 1)
  const atMs = Date.parse(at)
  return Number.isNaN(atMs) ? undefined : { at, atMs }
}
