/** How much hermes says of itself on the container's stderr. */
export type Level = 'info' | 'warn' | 'error'

/**
 * Which of its own lines hermes shows, by s6-overlay's `S6_VERBOSITY`: 0 errors, 1 warnings too, 2 and more everything. Log files get
 * every line all the same.
 * @param verbosity the variable's value; unset or no number: everything
 */
export function isShown(verbosity: string | undefined): (level: Level) => boolean {
  const most = /^\d+$/.test(verbosity?.trim() ?? '') ? Number(verbosity) : 2
  return (level) => ({ error: 0, warn: 1, info: 2 })[level] <= most
}
