/**
 * Distinguishes a pasted block from typed keys in a terminal's input. Pure: the caller reports elapsed time by
 * `settle`.
 */

export type Typed =
  /** For the line editor, as it came. */
  | { readonly kind: 'keys'; readonly text: string }
  /** `submit`: its last line was ended, by a terminal that does not mark what is pasted. Lines are ended by \n. */
  | { readonly kind: 'paste'; readonly text: string; readonly submit: boolean }

/** Bracketed paste (xterm, "DECSET 2004"): a terminal that is asked to puts these around what is pasted. */
const BEGIN = '\x1b[200~'
const END = '\x1b[201~'
export const BRACKETED_PASTE = { on: '\x1b[?2004h', off: '\x1b[?2004l' } as const

/** More than a person types between two reads. */
const BURST_CHARS = 256
/** Line ends and tabs belong to a text; with any other control character it is keys. */
// biome-ignore lint/complexity/useRegexLiterals: control characters are easier to read escaped
const CONTROL = new RegExp('[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]')
// biome-ignore lint/complexity/useRegexLiterals: as above
const CONTROLS = new RegExp('[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]', 'g')

export class TypedText {
  #state: 'keys' | 'bracket' | 'burst' = 'keys'
  /** Of a paste that has not ended; or the beginning of what may become a bracket. */
  #held: string[] = []
  /** Beginning of the sequence that ends a paste: it may come in two reads. */
  #tail = ''

  /** Something is waiting for `settle`. */
  get unsettled(): boolean {
    return this.#state === 'burst' || (this.#state === 'keys' && this.#held.length > 0)
  }

  /** @param text one read of the terminal */
  push(text: string): readonly Typed[] {
    if (this.#state === 'bracket') return this.#inBracket(text)
    if (this.#state === 'burst') {
      this.#held.push(text)
      return []
    }
    const all = this.#held.join('') + text
    this.#held = []
    const at = all.indexOf(BEGIN)
    if (at !== -1) {
      this.#state = 'bracket'
      return [...keys(all.slice(0, at)), ...this.#inBracket(all.slice(at + BEGIN.length))]
    }
    if (isBurst(all)) {
      this.#state = 'burst'
      this.#held.push(all)
      return []
    }
    const begun = partialAtEnd(all, BEGIN)
    if (begun > 0) this.#held.push(all.slice(-begun))
    return keys(begun > 0 ? all.slice(0, -begun) : all)
  }

  /** Nothing has come for a moment: a burst has ended, and an escape was a key. */
  settle(): readonly Typed[] {
    if (!this.unsettled) return []
    const text = this.#held.join('')
    const wasBurst = this.#state === 'burst'
    this.#held = []
    this.#state = 'keys'
    return wasBurst ? [pasted(text, /[\r\n]$/.test(text))] : keys(text)
  }

  #inBracket(text: string): readonly Typed[] {
    const search = this.#tail + text
    const at = search.indexOf(END)
    if (at === -1) {
      const begun = partialAtEnd(search, END)
      this.#held.push(begun > 0 ? search.slice(0, -begun) : search)
      this.#tail = begun > 0 ? search.slice(-begun) : ''
      return []
    }
    const whole = [...this.#held, search.slice(0, at)].join('')
    this.#held = []
    this.#tail = ''
    this.#state = 'keys'
    return [pasted(whole, false), ...this.push(search.slice(at + END.length))]
  }
}

const keys = (text: string): readonly Typed[] => (text === '' ? [] : [{ kind: 'keys', text }])

const pasted = (text: string, submit: boolean): Typed => ({
  kind: 'paste',
  text: text.replaceAll(/\r\n?/g, '\n').replaceAll(CONTROLS, '').replace(/\n+$/, ''),
  submit,
})

/** Some terminals (the Linux console, a script) do not mark a paste, but it comes in one read. */
const isBurst = (text: string): boolean =>
  !CONTROL.test(text) && (text.length >= BURST_CHARS || /[\r\n][^\r\n]/.test(text))

/** @returns how many of the last characters of `text` begin `mark` */
function partialAtEnd(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1)
    if (text.endsWith(mark.slice(0, length))) return length
  return 0
}
