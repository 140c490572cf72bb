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
