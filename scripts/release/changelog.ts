/** Kinds of entries, in this order (https://keepachangelog.com has more kinds; these are enough here). */
export const KINDS = ['Added', 'Changed', 'Fixed'] as const

const HEADING = /^## (?:(\d+\.\d+\.\d+) \(unreleased\)|Unreleased)$/m

export interface Released {
  /** The whole changelog, with the entries under the version. */
  readonly text: string
  /** The entries alone, for the tag. */
  readonly notes: string
}

/**
 * Turns the unreleased entries of a changelog into those of a version.
 * @param text has one heading `## Unreleased` or `## 1.2.3 (unreleased)`; below it `### Added`, `### Changed`, `###
 * Fixed`
 * @param version such as 1.2.3
 * @param day of the release, YYYY-MM-DD
 * @throws Error with one line that says what is missing or wrong
 */
export function releaseChangelog(text: string, version: string, day: string): Released {
  const heading = HEADING.exec(text)
  if (heading === null) throw new Error('CHANGELOG.md has no heading "## Unreleased" or "## VERSION (unreleased)"')
  const [line, prepared] = heading
  if (prepared !== undefined && prepared !== version)
    throw new Error(`CHANGELOG.md prepares version ${prepared}, not ${version}`)
  const begin = heading.index + line.length
  const next = text.indexOf('\n## ', begin)
  const section = text.slice(begin, next === -1 ? undefined : next)
  checkEntries(section)
  const released = `## ${version} (${day})`
  return { text: text.slice(0, heading.index) + released + text.slice(begin), notes: section.trim() }
}

function checkEntries(section: string): void {
  const [before = '', ...parts] = section.split(/^### /m)
  if (/^- /m.test(before))
    throw new Error(`CHANGELOG.md has unreleased entries outside of ${KINDS.map((kind) => `"### ${kind}"`).join(', ')}`)
  if (parts.length === 0) throw new Error('CHANGELOG.md has no unreleased entries')
  for (const part of parts) {
    const [kind = ''] = part.split('\n')
    if (!KINDS.some((one) => one === kind))
      throw new Error(`CHANGELOG.md has an unreleased section "### ${kind}"; use ${KINDS.join(', ')}`)
    if (!/^- \S/m.test(part)) throw new Error(`CHANGELOG.md has no entry under the unreleased "### ${kind}"`)
  }
}
