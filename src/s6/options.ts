/** A parsed command line: its options in their order, and the arguments after them. */
export interface ParsedOptions {
  readonly options: readonly Option[]
  readonly rest: readonly string[]
}

export interface Option {
  readonly letter: string
  /** '' for an option that takes none. */
  readonly value: string
}

/**
 * Reads options as s6 does (skalibs' subgetopt): letters can be joined, a value can follow its letter at once, `--`
 * ends them.
 * @param letters the valid ones; `T:` takes a value
 * @returns a text that says what is wrong
 */
export function readOptions(argv: readonly string[], letters: string): ParsedOptions | string {
  const left = [...argv]
  const options: Option[] = []
  while (left[0]?.startsWith('-') && left[0] !== '-') {
    const arg = left.shift() ?? ''
    if (arg === '--') break
    for (let i = 1; i < arg.length; i++) {
      const letter = arg[i] ?? ''
      const at = letter === ':' ? -1 : letters.indexOf(letter)
      if (at === -1) return `unknown option -${letter}`
      if (letters[at + 1] !== ':') {
        options.push({ letter, value: '' })
        continue
      }
      const value = arg.slice(i + 1) || left.shift()
      if (value === undefined) return `-${letter} takes a value`
      options.push({ letter, value })
      break
    }
  }
  return { options, rest: left }
}

const LARGEST = 2 ** 32 - 1

/** @returns undefined when the text is not a whole number of 32 bits */
export const wholeNumber = (text: string): number | undefined =>
  /^\d+$/.test(text) && Number(text) <= LARGEST ? Number(text) : undefined
