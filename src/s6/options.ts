/** What a command line says: its options in their order, and the words after them. */
export interface Words {
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
 * @param letters those there are; `T:` takes a value
 * @returns a text that says what is wrong
 */
export function readOptions(argv: readonly string[], letters: string): Words | string {
  const words = [...argv]
  const options: Option[] = []
  while (words[0]?.startsWith('-') && words[0] !== '-') {
    const word = words.shift() ?? ''
    if (word === '--') break
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] ?? ''
      const at = letter === ':' ? -1 : letters.indexOf(letter)
      if (at === -1) return `unknown option -${letter}`
      if (letters[at + 1] !== ':') {
        options.push({ letter, value: '' })
        continue
      }
      const value = word.slice(i + 1) || words.shift()
      if (value === undefined) return `-${letter} takes a value`
      options.push({ letter, value })
      break
    }
  }
  return { options, rest: words }
}

const LARGEST = 2 ** 32 - 1

/** @returns undefined when the text is not a whole number of 32 bits */
export const wholeNumber = (text: string): number | undefined =>
  /^\d+$/.test(text) && Number(text) <= LARGEST ? Number(text) : undefined
