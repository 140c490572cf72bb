/**
 * Setting one key of a YAML text without touching any other line: comments, line ends, indentation, anchors and ways of
 * writing stay byte for byte. The text is parsed for where things are; what is written is a splice.
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parse,
  parseDocument,
  type YAMLMap,
} from 'yaml'

interface Splice {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** Why the text cannot be changed in place, for people. */
export class NotSpliced extends Error {}

/**
 * @param path keys from the top
 * @param value as YAML, which is valid; empty: null
 * @throws NotSpliced
 */
export function spliceYaml(text: string, path: readonly string[], value: string): string {
  const document = parseDocument(text, { keepSourceTokens: true, uniqueKeys: false })
  const splice = new Splicer(text, document).set(path, value)
  const edited = text.slice(0, splice.from) + splice.text + text.slice(splice.to)
  // Only the resulting values count, however unusual the text.
  const wished = wish(document.toJS(), path, parse(value) ?? null)
  const after = parseDocument(edited, { uniqueKeys: false })
  if (after.errors.length > 0 || !isSame(after.toJS(), wished)) throw new NotSpliced('its shape is too unusual')
  return edited
}

class Splicer {
  readonly #text: string
  readonly #document: Document
  readonly #eol: string

  constructor(text: string, document: Document) {
    this.#text = text
    this.#document = document
    this.#eol = text.includes('\r\n') ? '\r\n' : '\n'
  }

  set(path: readonly string[], value: string): Splice {
    const top = this.#document.contents
    if (top === null || (isEmpty(top) && sourceOf(this.#text, top) === '')) return this.#append(path, value)
    if (isMap(top)) return this.#within(top, path, value, [])
    if (!isEmpty(top)) throw new NotSpliced('it has no keys')
    const [from, to] = rangeOf(top)
    return { from, to, text: this.#lines(path, value, '').trimEnd() }
  }

  /** @param above the keys that lead to `map` */
  #within(map: YAMLMap, path: readonly string[], value: string, above: readonly string[]): Splice {
    const [key = '', ...rest] = path
    const pair = map.items.findLast((one) => isScalar(one.key) && String(one.key.value) === key)
    if (pair === undefined) return this.#add(map, path, value, above.length === 0)
    const node = pair.value as Node | null
    if (rest.length === 0) return this.#replace(pair, inline(value), map.flow === true)
    if (isMap(node)) return this.#within(node, rest, value, [...above, key])
    if (node === null || isEmpty(node)) return this.#open(map, pair, rest, value)
    if (isAlias(node)) {
      // The anchor's value belongs to another section: this one gets its own copy.
      const own = wish(node.toJS(this.#document), rest, parse(value) ?? null)
      return this.#replace(pair, JSON.stringify(own), true)
    }
    throw new NotSpliced(`"${[...above, key].join('.')}" is not a section there`)
  }

  /** A section that is there and empty: its keys may all be comments. */
  #open(map: YAMLMap, pair: Pair, path: readonly string[], value: string): Splice {
    const written = sourceOf(this.#text, pair.value as Node | null)
    if (map.flow || written !== '') return this.#replace(pair, flowOf(path, value), true)
    const at = this.#lineAfter(afterColon(pair))
    const outer = this.#indentOf(map)
    // At the depth of the comments that stand for its keys.
    const comment = /^([ ]+)#/.exec(this.#text.slice(at))?.[1]
    const indent = comment !== undefined && comment.length > outer.length ? comment : outer + this.#step()
    return this.#insert(at, this.#lines(path, value, indent))
  }

  #add(map: YAMLMap, path: readonly string[], value: string, isTop: boolean): Splice {
    if (map.flow) {
      const end = rangeOf(map)[1] - 1
      const before = map.items.length === 0 ? '' : /,\s*$/.test(this.#text.slice(0, end)) ? ' ' : ', '
      const [key = '', ...rest] = path
      const inner = rest.length === 0 ? flowValue(value) : flowOf(rest, value)
      const from = map.items.length === 0 ? end : this.#trimmedEnd(end)
      return { from, to: from, text: `${before}${quoted(key)}: ${inner}` }
    }
    // After the comments at the end of the file, which may belong to the last section.
    if (isTop) return this.#append(path, value)
    return this.#insert(this.#lineAfter(endOf(map)), this.#lines(path, value, this.#indentOf(map)))
  }

  #replace(pair: Pair, text: string, flow: boolean): Splice {
    const node = pair.value as Node | null
    const colon = afterColon(pair)
    const written = sourceOf(this.#text, node)
    if (node === null || written === '') return { from: colon, to: colon, text: ` ${text}` }
    const [start] = rangeOf(node)
    const isBlock = isCollection(node) && !node.flow
    const end = isBlock ? endOf(node) : rangeOf(node)[1]
    const eol = this.#text[end - 1] === '\n' && !flow ? this.#eol : ''
    return isBlock ? { from: colon, to: end, text: ` ${text}${eol}` } : { from: start, to: end, text: `${text}${eol}` }
  }

  /** At the end of the document. */
  #append(path: readonly string[], value: string): Splice {
    const marker = /^(\.\.\.|---)([ \t\r\n]|$)/gm
    const end = rangeOfContents(this.#document, this.#text)
    marker.lastIndex = end
    const at = marker.exec(this.#text)?.index ?? this.#text.length
    return this.#insert(at, this.#lines(path, value, this.#topIndent()))
  }

  #insert(at: number, lines: string): Splice {
    const isLineStart = at === 0 || this.#text[at - 1] === '\n' || (at === 1 && this.#text[0] === '\uFEFF')
    return { from: at, to: at, text: isLineStart ? lines : `${this.#eol}${lines}` }
  }

  /** `a:\n  b:\n    c: value\n` */
  #lines(path: readonly string[], value: string, indent: string): string {
    const last = path.length - 1
    return path
      .map((key, depth) => {
        const head = `${indent}${this.#step().repeat(depth)}${quoted(key)}:`
        return `${depth === last ? `${head} ${inline(value)}` : head}${this.#eol}`
      })
      .join('')
  }

  /** Start of the line after the one that contains this place. */
  #lineAfter(at: number): number {
    if (at > 0 && this.#text[at - 1] === '\n') return at
    const end = this.#text.indexOf('\n', at)
    return end === -1 ? this.#text.length : end + 1
  }

  #trimmedEnd(end: number): number {
    return this.#text.slice(0, end).trimEnd().length
  }

  #indentOf(map: YAMLMap): string {
    const first = map.items[0]?.key as Node | undefined
    if (first === undefined) return ''
    const [start] = rangeOf(first)
    const line = this.#text.slice(this.#text.lastIndexOf('\n', start - 1) + 1, start).replace('\uFEFF', '')
    if (line.trim() !== '') throw new NotSpliced('its keys are not at the start of their lines')
    return line
  }

  #topIndent(): string {
    const top = this.#document.contents
    return isMap(top) && !top.flow ? this.#indentOf(top) : ''
  }

  /** Indentation step of the file's sections. */
  #step(): string {
    const top = this.#document.contents
    const sections = isMap(top) ? top.items.map(({ value }) => value) : []
    const section = sections.find((one): one is YAMLMap => isMap(one) && !one.flow && one.items.length > 0)
    const width = section === undefined ? 2 : this.#indentOf(section).length - this.#topIndent().length
    return ' '.repeat(width > 0 ? width : 2)
  }
}

/** The value as typed, if it fits on one line; otherwise in flow style. */
function inline(value: string): string {
  const typed = value.trim()
  if (typed !== '' && !/[\r\n]/.test(typed)) {
    const read = parseDocument(`k: ${typed}`)
    if (read.errors.length === 0 && isSame((read.toJS() as { k: unknown }).k, parse(value))) return typed
  }
  return JSON.stringify(parse(value) ?? null)
}

const flowValue = (value: string): string => JSON.stringify(parse(value) ?? null)

const flowOf = (path: readonly string[], value: string): string =>
  path.reduceRight((inner, key) => `{${quoted(key)}: ${inner}}`, flowValue(value))

const quoted = (key: string): string => (/^[A-Za-z_][\w-]*$/.test(key) ? key : JSON.stringify(key))

/** null, written or not. */
const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null

const rangeOf = (node: Node): readonly [number, number] => {
  const [start, end] = node.range ?? []
  if (start === undefined || end === undefined) throw new NotSpliced('its shape is too unusual')
  return [start, end]
}

const sourceOf = (text: string, node: Node | null): string =>
  node?.range ? text.slice(node.range[0], node.range[1]).trim() : ''

/** End of the last element in a node; a block collection's own range includes the comments that follow. */
function endOf(node: Node): number {
  if (isCollection(node) && !node.flow) {
    const last: unknown = node.items.at(-1)
    if (isMap(node) && last !== undefined) {
      const pair = last as Pair
      const value = pair.value as Node | null
      return value?.range && value.range[1] > value.range[0] ? endOf(value) : afterColon(pair)
    }
    if (isSeq(node) && last) return endOf(last as Node)
  }
  return rangeOf(node)[1]
}

function afterColon(pair: Pair): number {
  const colon = pair.srcToken?.sep?.find(({ type }) => type === 'map-value-ind')
  if (colon === undefined) throw new NotSpliced('it has a key without a colon')
  return colon.offset + 1
}

/** Range in which the document's first end marker may be. */
function rangeOfContents(document: Document, text: string): number {
  const { contents } = document
  if (contents?.range) return Math.min(contents.range[1], text.length)
  const start = /^\uFEFF?(?:[ \t]*(?:#[^\n]*)?\r?\n)*---/.exec(text)
  return start === null ? 0 : start[0].length
}

/** Returns `value` with `set` at `path`; anything on the way that is not a map becomes one. */
function wish(value: unknown, path: readonly string[], set: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return set
  const map = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  return { ...map, [key]: wish((map as Record<string, unknown>)[key], rest, set) }
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const keys = Object.keys(left)
  return keys.length === Object.keys(right).length && keys.every((key) => isSame(left[key], right[key]))
}
