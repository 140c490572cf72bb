/**
 * The text of a `.env` file, read as docker compose, python-dotenv and sh agree to (docs/environment.md): a `#` begins
 * a comment only after white space, quotes hold several lines, nothing is expanded.
 */

export interface DotEnv {
  readonly variables: Readonly<Record<string, string>>
  /** Never contain a value, because they are logged. */
  readonly warnings: readonly string[]
}

interface Quoted {
  readonly value: string
  /** Place after the closing quote. */
  readonly end: number
}

/** @param file named in the warnings, with the number of the line */
export function parseDotEnv(text: string, file: string): DotEnv {
  const clean = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const variables: Record<string, string> = Object.create(null) as Record<string, string>
  const warnings: string[] = []
  let line = 1
  for (let at = 0; at < clean.length; ) {
    const end = endOfLine(clean, at)
    const read = readLine(clean, at, end)
    if (typeof read === 'string') warnings.push(`${file}, line ${line}: ${read}; the line is ignored`)
    else if (read.name !== undefined) variables[read.name] = read.value
    const next = typeof read === 'string' ? end + 1 : read.next
    for (let i = clean.indexOf('\n', at); i !== -1 && i < next; i = clean.indexOf('\n', i + 1)) line += 1
    at = next
  }
  return { variables: { ...variables }, warnings }
}

type Line = { readonly next: number } & (
  | { readonly name: string; readonly value: string }
  | { readonly name?: undefined }
)

/** @returns what the line at `at` assigns, if it is one that does; a text: what is wrong with it */
function readLine(text: string, at: number, end: number): Line | string {
  const line = text.slice(at, end)
  if (/^\s*(#|$)/.test(line)) return { next: end + 1 }
  const [head, name] = /^[^\S\n]*(?:export[^\S\n]+)?([^\s=#]+)[^\S\n]*=/.exec(line) ?? []
  if (head === undefined || name === undefined) return 'expected NAME=value'
  const rest = line.slice(head.length)
  const blanks = rest.length - rest.trimStart().length
  const quote = rest[blanks]
  if (quote !== '"' && quote !== "'") {
    const value = rest.replace(/\s#.*$/, '').trim()
    return { name, value, next: end + 1 }
  }
  const start = at + head.length + blanks + 1
  // In single quotes, sh has no escapes, but python-dotenv knows \'; the reading that ends the line properly is used.
  const readings = quote === '"' ? [doubleQuoted] : [singleQuoted, singleQuotedWithEscapes]
  const found = readings.map((read) => read(text, start))
  for (const quoted of found) {
    const after = quoted && endOfLine(text, quoted.end)
    if (quoted && after !== undefined && /^\s*(#.*)?$/.test(text.slice(quoted.end, after)))
      return { name, value: quoted.value, next: after + 1 }
  }
  const isClosed = found.some((one) => one !== undefined && one.end <= end)
  return isClosed ? `text follows the closing ${quote}` : `the quote ${quote} is not closed`
}

const endOfLine = (text: string, from: number): number => {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

function singleQuoted(text: string, start: number): Quoted | undefined {
  const close = text.indexOf("'", start)
  return close === -1 ? undefined : { value: text.slice(start, close), end: close + 1 }
}

const singleQuotedWithEscapes = (text: string, start: number): Quoted | undefined =>
  escaped(text, start, "'", { "'": "'", '\\': '\\' })

const doubleQuoted = (text: string, start: number): Quoted | undefined =>
  escaped(text, start, '"', { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$', '`': '`' })

/** A backslash before anything that `escapes` does not name stays. */
function escaped(
  text: string,
  start: number,
  quote: string,
  escapes: Readonly<Record<string, string>>,
): Quoted | undefined {
  let value = ''
  let from = start
  for (let at = start; at < text.length; at++) {
    if (text[at] === quote) return { value: value + text.slice(from, at), end: at + 1 }
    if (text[at] !== '\\') continue
    const next = text[++at] ?? ''
    value += text.slice(from, at - 1) + (Object.hasOwn(escapes, next) ? escapes[next] : `\\${next}`)
    from = at + 1
  }
  return undefined
}
