import { Cron } from 'croner'

/** Tells whether a text is a cron pattern with a time that comes. */
export function isCron(text: string): boolean {
  try {
    // Created paused: only checks that the text can be parsed and describes a time that comes.
    return new Cron(text, { paused: true }).nextRun() !== null
  } catch {
    return false // croner's TypeError is the answer
  }
}

/**
 * Times of a cron pattern in a time zone. In the hour that is left out in spring, a time comes at its end; in the hour
 * that comes twice in autumn, a fixed time comes once, and one of several a day (`*`, `2,3`) in both.
 * @throws TypeError for a pattern or a time zone that does not exist
 */
export function cronTimes(
  pattern: string,
  timezone: string,
): { next(afterMs: number): number | undefined; previous(beforeMs: number): number | undefined } {
  const cron = new Cron(pattern, { paused: true, timezone })
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    previous: (beforeMs) => cron.previousRuns(1, new Date(beforeMs))[0]?.getTime(),
  }
}
