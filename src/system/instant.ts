/** Beyond it a Date has no text, and asking for one throws (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_MS = 8.64e15

/** Part of a file's name, to the second: `20261201T020304Z`. */
export const fileStamp = (wallMs: number): string => new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, '')

/**
 * Formats an instant from a foreign source as RFC 3339 UTC; undefined when it is not an instant. @param unixMs
 * anything
 */
export const instantText = (unixMs: unknown): string | undefined =>
  typeof unixMs === 'number' && Math.abs(unixMs) <= MAX_TIME_MS ? new Date(unixMs).toISOString() : undefined
