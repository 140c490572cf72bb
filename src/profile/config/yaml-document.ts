/** YAML as config.yaml and services.yaml are read: what is in the text, where, and what a key takes of it. */
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml'
import type { Kind } from './kinds/kinds.ts'
import { isTooDeep, MAX_YAML_DEPTH } from './yaml-depth.ts'

export interface Place {
  /** 1 for the first line. */
  readonly line?: number
}

export interface YamlText {
  readonly contents: Document['contents']
  readonly placeOf: (node: unknown) => Place
  /** Returns the value of a key from its node, or the expected and the found value. */
  readonly judge: (kind: Kind<unknown>, node: unknown) => Verdict
}

export type Verdict =
  | { readonly value: unknown }
  /** `got`: what was there, as far as it may be shown. */
  | { readonly message: string; readonly got?: unknown }

/** Never throws. @returns a fault if the text is not YAML, or YAML that we do not accept */
export function readYamlText(text: string): YamlText | { readonly fault: Place & { readonly message: string } } {
  const tooDeep = { fault: { message: `expected YAML: at most ${MAX_YAML_DEPTH} levels of sections and lists` } }
  if (isTooDeep(text)) return tooDeep
  const lines = new LineCounter()
  const document = parsed(text, lines)
  if (document === undefined) return tooDeep
  const placeAt = (offset: number | undefined): Place =>
    offset === undefined ? {} : { line: lines.linePos(offset).line }
  const [syntax] = document.errors
  if (syntax?.code === 'RESOURCE_EXHAUSTION') return tooDeep
  if (syntax !== undefined) return { fault: { ...placeAt(syntax.pos[0]), message: `expected YAML: ${syntax.message}` } }
  const repeated = repeatedKey(document)
  if (repeated !== undefined)
    return { fault: { ...placeAt(repeated.range?.[0]), message: 'expected YAML: Map keys must be unique' } }
  return {
    contents: document.contents,
    placeOf: (node) => placeAt((node as Node | null)?.range?.[0]),
    judge: (kind, node) => judge(kind, node as Node | null, document),
  }
}

/** Undefined where the parser needs more stack than there is, for a nesting that a look at the text does not show. */
function parsed(text: string, lineCounter: LineCounter): Document | undefined {
  try {
    // The library's check for unique keys takes quadratic time; this one does not.
    return parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return undefined
  }
}

/** The first key that its map has already. */
function repeatedKey(document: Document): Node | undefined {
  let repeated: Node | undefined
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          repeated = key
          return visit.BREAK
        }
        seen.add(key.value)
      }
      return undefined
    },
  })
  return repeated
}

export const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '?')

/** The node is empty. */
export const isEmpty = (node: unknown): boolean => node == null || (isScalar(node) && node.value === null)

function judge(kind: Kind<unknown>, node: Node | null, document: Document): Verdict {
  const plain = plainOf(node, document)
  if ('why' in plain) return { message: `expected ${kind.expected}, got ${plain.why}`, got: plain.why }
  const { raw } = plain
  const value = kind.read(kind.asWritten ? asWritten(node, raw) : raw)
  if (value !== undefined) return { value }
  // A secret must not be part of an object that may be printed.
  if (kind.secret) return { message: `expected ${kind.expected}, got something else (not shown)` }
  const why = kind.whyNot?.(raw)
  return { message: `expected ${kind.expected}, got ${shown(raw)}${why === undefined ? '' : `: ${why}`}`, got: raw }
}

/** `description: *nowhere` must not become a description: an invalid value returns its reason. */
function plainOf(node: Node | null, document: Document): { readonly raw: unknown } | { readonly why: string } {
  try {
    const raw: unknown = node?.toJS(document) ?? null
    // A value that contains itself passes some checks, but cannot be printed.
    JSON.stringify(raw)
    return { raw }
  } catch (error) {
    // Aliases that lead nowhere, to themselves (a TypeError of JSON), or multiply without end.
    return { why: error instanceof TypeError ? 'a value that contains itself' : (error as Error).message }
  }
}

/** @param value as YAML gave it */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** Numbers in a command or an environment stay as typed: `1.10` is not 1.1 there. */
function asWritten(node: unknown, raw: unknown): unknown {
  const text = (item: unknown, value: unknown): unknown =>
    isScalar(item) && typeof item.value !== 'string' && item.value !== null
      ? (item.source ?? String(item.value))
      : value
  if (isSeq(node) && Array.isArray(raw)) return raw.map((value, i) => text(node.items[i], value))
  if (isMap(node) && typeof raw === 'object' && raw !== null) {
    const items = new Map((node.items as readonly Pair[]).map((pair) => [String(pair.key), pair.value]))
    return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, text(items.get(name), value)]))
  }
  return raw
}
