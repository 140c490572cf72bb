const DAY_S = 86_400

/**
 * Reads a time that a variable gives in seconds, such as HERMES_STOP_TIMEOUT.
 * @returns ms; undefined for anything but a decimal number above 0, at most a day
 */
export function secondsToMs(text: string | undefined): number | undefined {
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(text ?? '') ? Number(text) : 0
  return seconds > 0 && seconds <= DAY_S ? seconds * 1000 : undefined
}
