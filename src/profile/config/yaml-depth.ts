/** Maximum nesting of sections and lists in a YAML file; meaningful files need five levels. */
export const MAX_YAML_DEPTH = 100

/**
 * Tells whether a text may nest deeper than {@link MAX_YAML_DEPTH}. Checked before parsing, because the parser needs
 * time quadratic in the depth: half a second for 64 KB of brackets. Counts open brackets and the columns of line
 * starts anywhere, so a quoted text with a hundred open brackets counts as nesting too.
 */
export function isTooDeep(text: string): boolean {
  // Every level needs one of these characters: nearly all files end here, without a loop over characters, which V8
  // would consider worth optimizing.
  if ((text.match(/[[{\n]|[-?] /g)?.length ?? 0) < MAX_YAML_DEPTH) return false
  const columns: number[] = []
  let open = 0
  for (const line of text.split('\n')) {
    // Each "- " or "? " at the start of a line is a level.
    const begin = /^ *(?:[-?] +)*/.exec(line)?.[0] ?? ''
    if (begin.length < line.length && line[begin.length] !== '#') {
      for (let column = 0; column <= begin.length; column++) {
        if (column < begin.length && begin[column] === ' ') continue
        while ((columns.at(-1) ?? -1) >= column) columns.pop()
        columns.push(column)
      }
    }
    for (const character of line) {
      if (character === '[' || character === '{') open++
      else if ((character === ']' || character === '}') && open > 0) open--
      if (open + columns.length > MAX_YAML_DEPTH) return true
    }
    if (columns.length > MAX_YAML_DEPTH) return true
  }
  return false
}
