/** Severity of hermes' own lines on the container's stderr. */
export type Level = 'info' | 'warn' | 'error'

/**
 * Selects which of its own lines hermes shows, by s6-overlay's `S6_VERBOSITY`: 0 errors, 1 errors and warnings, 2 and
 * above everything. Log files always get every line.
 * @param verbosity the variable's value; unset or not a number: everything
 */
export function isShown(verbosity: string | undefined): (level: Level) => boolean {
  const most = /^\d+$/.test(verbosity?.trim() ?? '') ? Number(verbosity) : 2
  return (level) => ({ error: 0, warn: 1, info: 2 })[level] <= most
}
