/** The part of a test's report that says why it was left out. */
export interface Skipped {
  readonly title: string
  readonly ancestorTitles: readonly string[]
}

/**
 * The key of a test among the reasons that tests gave while they ran (`context.skip(reason)`), which the report leaves
 * out.
 */
export const fullName = ({ title, ancestorTitles }: Skipped): string => [...ancestorTitles, title].join(' > ')

/** Lines that `npm test` prints of tests that were left out, at most. */
const MOST_LINES = 25

/**
 * One line per reason. A reason stands in parentheses at the end of the test's name, or of a group's that it is in, or
 * in `notes`.
 * @param notes reasons by {@link fullName}
 * @returns `left out: 12 tests, because promtool is not on PATH; apt-get install prometheus`
 */
export function leftOut(skipped: readonly Skipped[], notes: Readonly<Record<string, string>> = {}): readonly string[] {
  const counts = new Map<string, number>()
  for (const test of skipped) {
    const why = notes[fullName(test)] ?? reasonOf(test)
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
