/**
 * Makes untrusted text safe for a terminal or one of our logs: descriptions, file names, a process's last output.
 * Characters that could move the cursor, change the text direction or start a line are shown as `\u001b`.
 */

// C0 and DEL, C1 (some terminals take U+009B for ESC [), line and paragraph separator, and what changes the direction
// of text
// (https://www.unicode.org/reports/tr9/, "Explicit Directional Formatting Characters"; CVE-2021-42574).
const CONTROLS = '\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069'
const UNFIT = new RegExp(`[${CONTROLS}]`, 'g')
const LINE_BREAKS = /[\t\n\r]+/g
const HAS_UNFIT = new RegExp(`[${CONTROLS}]`)

const shown = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line: line breaks and tabs become a space each run. */
export const oneLine = (text: string): string =>
  HAS_UNFIT.test(text) ? text.replaceAll(LINE_BREAKS, ' ').replaceAll(UNFIT, shown) : text

/** Several lines: line breaks and tabs stay, a CR LF is a line break. */
export const plainText = (text: string): string =>
  HAS_UNFIT.test(text)
    ? text
        .replaceAll('\r\n', '\n')
        .replaceAll(UNFIT, (character) => (character === '\n' || character === '\t' ? character : shown(character)))
    : text

/** How every program but init warns on standard error: one line. */
export const warningLine = (text: string): string => `hermes: warning: ${oneLine(text)}\n`
