/** Reads the YAML of config.yaml into values, and says what is wrong with it and where. */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import { nearest } from '../../system/text/nearest.ts'
import { expectation, settingOf, whyNot } from './config-values.ts'
import {
  CONFIG_KEYS,
  type ConfigKey,
  type ConfigProblem,
  type ConfigValues,
  configKeys,
  defaultValues,
  type Kind,
} from './keys.ts'
import { findOrphan } from './orphans.ts'
import { isTooDeep, MAX_YAML_DEPTH } from './yaml-depth.ts'
import { asWritten } from './yaml-text.ts'

export interface ReadValues {
  readonly values: ConfigValues
  /** Keys the file sets to something valid. */
  readonly set: ReadonlySet<ConfigKey>
  readonly problems: readonly ConfigProblem[]
}

/** Never throws: what is wrong becomes a problem, and the default. */
export function readValues(text: string, file: string): ReadValues {
  if (isTooDeep(text))
    return nothing({
      file,
      key: '',
      message: `expected YAML: at most ${MAX_YAML_DEPTH} levels of sections and lists`,
    })
  const read = readYaml(text, file)
  const isPuzzling = ({ key }: ConfigProblem): boolean =>
    key === '' || !(key.includes('.') || isKey(key) || isSection(key))
  const orphan = read.problems.some(isPuzzling) ? findOrphan(text) : undefined
  if (orphan === undefined) return read
  const { line, key, parent } = orphan
  return nothing({ file, line, key: '', message: `"${key}" is indented but its parent "${parent}:" is commented out` })
}

function readYaml(text: string, file: string): ReadValues {
  const lines = new LineCounter()
  // The library's check for unique keys is quadratic; ours is not.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const lineAt = (offset: number | undefined): { line?: number } =>
    offset === undefined ? {} : { line: lines.linePos(offset).line }
  const syntax = document.errors[0]
  if (syntax) {
    return nothing({ file, ...lineAt(syntax.pos[0]), key: '', message: `expected YAML: ${syntax.message}` })
  }
  const repeated = repeatedKey(document)
  if (repeated)
    return nothing({ file, ...lineAt(repeated.offset), key: '', message: 'expected YAML: Map keys must be unique' })
  if (document.contents === null || isEmptyScalar(document.contents)) return nothing()
  if (!isMap(document.contents)) {
    return nothing({
      file,
      ...lineAt(document.contents.range?.[0]),
      key: '',
      message: `expected "key: value" lines, got ${kindOf(document.contents)}`,
    })
  }
  const values: Record<string, unknown> = { ...defaultValues() }
  const set = new Set<ConfigKey>()
  const problems: ConfigProblem[] = []
  for (const found of leaves(document.contents, '')) {
    const place = { file, ...lineAt(found.offset), key: found.key }
    const verdict = judge(found, document, problems.length < MAX_HINTS)
    if ('message' in verdict) problems.push({ ...place, ...verdict })
    else if ('value' in verdict) {
      const least = leastOf(found.key)
      const counts = typeof verdict.value === 'number' && least !== undefined && verdict.value < least
      values[found.key] = counts ? least : verdict.value
      set.add(found.key as ConfigKey)
      if (counts)
        problems.push({ ...place, message: `${verdict.value} counts as ${least}, the least there is`, value: least })
    }
  }
  return { values: values as unknown as ConfigValues, set, problems }
}

/** What a smaller number of this key counts as. */
function leastOf(key: string): number | undefined {
  const kind = isKey(key) ? CONFIG_KEYS[key].kind : undefined
  return kind?.type === 'whole' ? kind.least : undefined
}

/** Looking for what a key was meant to be costs; after so many problems it is left out. */
const MAX_HINTS = 20

/** The first key that its map has already. */
function repeatedKey(document: Document): { readonly offset: number | undefined } | undefined {
  let repeated: { readonly offset: number | undefined } | undefined
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          repeated = { offset: key.range?.[0] }
          return visit.BREAK
        }
        seen.add(key.value)
      }
      return undefined
    },
  })
  return repeated
}

const nothing = (...problems: readonly ConfigProblem[]): ReadValues => ({
  values: defaultValues(),
  set: new Set(),
  problems,
})

interface Found {
  readonly key: string
  readonly offset: number | undefined
  readonly node: Node | null
}

const isKey = (key: string): key is ConfigKey => Object.hasOwn(CONFIG_KEYS, key)
const isSection = (key: string): boolean => configKeys().some((known) => known.startsWith(`${key}.`))

/** Every key the file mentions, down to those of the table; a section that is no map, and an unknown key, stand for themselves. */
function* leaves(map: YAMLMap, prefix: string): Generator<Found> {
  for (const pair of map.items as readonly Pair[]) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '?'
    const key = prefix === '' ? name : `${prefix}.${name}`
    const node = pair.value as Node | null
    if (isSection(key) && isMap(node)) yield* leaves(node, key)
    else yield { key, offset: isScalar(pair.key) ? pair.key.range?.[0] : undefined, node }
  }
}

/** Nothing at all: the file leaves the key at its default. */
function judge(
  { key, node }: Found,
  document: Document,
  hint: boolean,
): { value: unknown } | { message: string; value?: unknown } | Record<never, never> {
  if (!isKey(key)) {
    if (isSection(key))
      return isEmptyScalar(node)
        ? {}
        : { message: `expected keys below it, got ${show(plain(node, document), { type: 'text' })}` }
    const near = hint ? nearest(key, configKeys()) : undefined
    return {
      message: `unknown key${near === undefined ? '; "hermes config get" lists those that exist' : `; did you mean ${near}?`}`,
    }
  }
  if (isEmptyScalar(node)) return CONFIG_KEYS[key].value === null ? { value: null } : {}
  const { kind } = CONFIG_KEYS[key]
  const raw = plain(node, document)
  const value = takenValue(key, raw instanceof Unusable ? undefined : raw, node)
  return value !== undefined
    ? { value }
    : {
        message: `expected ${expectation(kind)}, got ${show(raw, kind)}${because(whyNot(kind, raw))}`,
        // A secret must not travel in an object that somebody prints.
        ...(kind.type === 'secret' ? {} : { value: raw instanceof Unusable ? raw.why : raw }),
      }
}

/** @returns undefined: the key does not take it */
function takenValue(key: ConfigKey, raw: unknown, node: Node | null): unknown {
  const { kind, value: fallback } = CONFIG_KEYS[key]
  if (raw === null && fallback === null) return null
  return settingOf(kind, kind.type === 'argv' || kind.type === 'map' ? asWritten(node, raw) : raw)
}

const because = (why: string | undefined): string => (why === undefined ? '' : `: ${why}`)

const isEmptyScalar = (node: unknown): boolean =>
  node === null || node === undefined || (isScalar(node) && node.value === null)

/** In place of a value that is none: `description: *nowhere` must not become a description. */
class Unusable {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

function plain(node: Node | null, document: Document): unknown {
  try {
    const value: unknown = node?.toJS(document)
    // What holds itself passes some schemas, and is then in the way of everybody who prints it.
    JSON.stringify(value)
    return value
  } catch (error) {
    // Aliases that lead nowhere, to themselves (a TypeError of JSON), or multiply without end.
    return new Unusable(error instanceof TypeError ? 'a value that holds itself' : (error as Error).message)
  }
}

const kindOf = (node: unknown): string => (isSeq(node) ? 'a list' : 'a single value')

function show(value: unknown, kind: Kind): string {
  if (kind.type === 'secret') return 'something else (not shown)'
  const text = value instanceof Unusable ? value.why : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
