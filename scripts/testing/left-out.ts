/** The part of a test's report that says why it was left out. */
export interface Skipped {
  readonly title: string
  readonly ancestorTitles: readonly string[]
  /** The reason that the test gave while it ran (`context.skip(reason)`). */
  readonly note?: string
}

/**
 * Whether a run of tests is about this folder at all.
 * @param args of the run; without names of files or folders of `test/` it is about all of them
 */
export function isAskedFor(folder: string, args: readonly string[]): boolean {
  const files = args.filter((one) => /^test(\/|$)/.test(one))
  return files.length === 0 || files.some((file) => file.startsWith(folder) || folder.startsWith(file))
}

/** Lines that `npm test` prints of tests that were left out, at most. */
const MOST_LINES = 25

/**
 * One line per reason. A reason is the test's note, or stands in parentheses at the end of its name or of a group's
 * that it is in.
 * @returns `left out: 12 tests, because promtool is not on PATH; apt-get install prometheus`
 */
export function leftOut(skipped: readonly Skipped[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const test of skipped) {
    const why = test.note ?? reasonOf(test)
    counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  const lines = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([why, count]) => `left out: ${count} ${count === 1 ? 'test' : 'tests'}, because ${why}`)
  return lines.length <= MOST_LINES
    ? lines
    : [...lines.slice(0, MOST_LINES - 1), `left out for ${lines.length - MOST_LINES + 1} more reasons`]
}

function reasonOf({ title, ancestorTitles }: Skipped): string {
  for (const name of [title, ...ancestorTitles].reverse()) {
    const found = /\(((?:[^()]|\([^()]*\))*)\)$/.exec(name)
    if (found?.[1]) return found[1].split('\n')[0] ?? ''
  }
  return `of "${title}", which does not say why`
}
