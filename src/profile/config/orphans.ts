/**
 * Finds an indented key of a YAML text whose section is still commented out: the result of uncommenting one line of
 * an older config.yaml.
 */
export interface Orphan {
  /** 1 for the first line. */
  readonly line: number
  readonly key: string
  readonly parent: string
}

const KEY = /^( +)([\w-]+):(?:\s|$)/
const COMMENTED_SECTION = /^\s*#+ ?(\s*)([\w-]+):\s*$/
const indentOf = (line: string): number => line.length - line.trimStart().length
const isContent = (line: string): boolean => /^\s*[^\s#]/.test(line)

/** @returns the first one; undefined: there is none */
export function findOrphan(text: string): Orphan | undefined {
  const lines = text.split(/\r?\n/)
  for (const [at, line] of lines.entries()) {
    const [, indent = '', key = ''] = KEY.exec(line) ?? []
    if (key === '') continue
    const before = lines.slice(0, at)
    const above = before.findLast((one) => isContent(one) && indentOf(one) < indent.length)
    if (above !== undefined && /:\s*(?:#.*)?$/.test(above)) continue
    const parent = before.map((one) => COMMENTED_SECTION.exec(one)).findLast((one) => one !== null)?.[2]
    if (parent !== undefined) return { line: at + 1, key, parent }
  }
  return undefined
}
