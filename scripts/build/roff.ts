// The language of man pages, man(7), as text. Only macros that groff and mandoc have.

/** Marks that roff would take for something else, and the ASCII ones that it would print as typographic ones. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '"': '\\(dq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
}

/** Text on one line, every character literally. */
export const escaped = (text: string): string => literal(text.replaceAll(/\s+/g, ' '))

/** Likewise, with its spaces. */
const literal = (text: string): string =>
  text
    .replaceAll(/[\\'"`^~-]/g, (mark) => ESCAPES[mark] ?? mark)
    // Not every roff reads UTF-8.
    .replaceAll(
      /[^\x20-\x7e]/gu,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    )

/** A line of text that is already escaped: a dot at its beginning would be a request. */
const line = (text: string): string => `${text.startsWith('.') ? '\\&' : ''}${text}\n`

export const bold = (text: string): string => `\\fB${escaped(text)}\\fR`
export const italic = (text: string): string => `\\fI${escaped(text)}\\fR`

/** Text with `code` and [links](to) of Markdown; of a link, the text is left. */
export const prose = (text: string): string =>
  text
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .split(/(`[^`]+`)/)
    .map((part) => (/^`[^`]+`$/.test(part) ? bold(part.slice(1, -1)) : escaped(part)))
    .join('')

/**
 * The first text of a section.
 * @param made escaped text
 */
export const opening = (made: string): string => line(made.trim())
/** A later text of a section, likewise. */
export const paragraph = (made: string): string => `.PP\n${opening(made)}`

export const section = (title: string): string => `.SH ${quoted(title.toUpperCase())}\n`
export const subsection = (title: string): string => `.SS ${quoted(title)}\n`

/** A term and what it means, both escaped. */
export const item = (term: string, meaning: string): string => `.TP\n${line(term)}${line(meaning.trim() || '\\&')}`

/** Lines as they are, such as commands to type. */
export const example = (lines: readonly string[]): string =>
  `.PP\n.nf\n.RS 4\n${lines.map((one) => line(literal(one))).join('')}.RE\n.fi\n`

export interface Title {
  readonly name: string
  readonly section: number
  /** YYYY-MM-DD. */
  readonly date: string
  /** Program and version. */
  readonly source: string
}

/** Lines are filled on the left only, and words stay whole, as commands have to. */
export const title = ({ name, section: number, date, source }: Title): string =>
  `.TH ${quoted(name.toUpperCase())} ${number} "${date}" ${quoted(source)} ${quoted('Hermes')}\n.nh\n.ad l\n`

const quoted = (text: string): string => `"${escaped(text)}"`
