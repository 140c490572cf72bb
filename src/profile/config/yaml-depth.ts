/** Levels of sections and lists that a YAML file of ours may have; every one that means something has five. */
export const MAX_YAML_DEPTH = 100

/**
 * Whether a text may nest deeper than {@link MAX_YAML_DEPTH}; looked at before it is parsed, because the parser takes time with the
 * square of the depth: half a second for 64 KB of brackets. Counts brackets that are open and columns that lines begin at, wherever
 * they stand; a text in quotes that has a hundred open brackets is taken for nesting too.
 */
export function isTooDeep(text: string): boolean {
  // No level without one of these: nearly all files are done here, and not character by character, which V8 would find worth optimizing.
  if ((text.match(/[[{\n]|[-?] /g)?.length ?? 0) < MAX_YAML_DEPTH) return false
  const columns: number[] = []
  let open = 0
  for (const line of text.split('\n')) {
    // Each "- " or "? " at the beginning of a line is a level of its own.
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
