/** Reads the YAML of config.yaml into values, and reports its problems with their places. */
import { isMap, isSeq, type Pair, type YAMLMap } from 'yaml'
import { nearest } from '../../system/text/nearest.ts'
import {
  CONFIG_KEYS,
  type ConfigKey,
  type ConfigProblem,
  type ConfigValues,
  configKeys,
  defaultValues,
  isConfigKey,
} from './keys.ts'
import { findOrphan } from './orphans.ts'
import { isEmpty, nameOf, readYamlText, type Verdict, type YamlText } from './yaml-document.ts'
import { readItems } from './yaml-items.ts'

export interface ReadValues {
  readonly values: ConfigValues
  /** Keys the file sets to something valid. */
  readonly set: ReadonlySet<ConfigKey>
  readonly problems: readonly ConfigProblem[]
}

/** Never throws: an error becomes a problem, and the key gets its default. */
export function readValues(text: string, file: string): ReadValues {
  const yaml = readYamlText(text)
  const read = 'fault' in yaml ? nothing({ file, key: '', ...yaml.fault }) : readKeys(yaml, file)
  const isPuzzling = ({ key, line }: ConfigProblem): boolean =>
    key === '' ? line !== undefined : !(key.includes('.') || isConfigKey(key) || isSection(key))
  const orphan = read.problems.some(isPuzzling) ? findOrphan(text) : undefined
  if (orphan === undefined) return read
  const { line, key, parent } = orphan
  return nothing({ file, line, key: '', message: `"${key}" is indented but its parent "${parent}:" is commented out` })
}

/** The line of a key, if the text sets it. */
export function lineOfKey(text: string, wanted: ConfigKey): number | undefined {
  const yaml = readYamlText(text)
  if ('fault' in yaml || !isMap(yaml.contents)) return undefined
  for (const { key, pair } of leaves(yaml.contents, '')) if (key === wanted) return yaml.placeOf(pair.key).line
  return undefined
}

function readKeys(yaml: YamlText, file: string): ReadValues {
  const { contents } = yaml
  if (isEmpty(contents)) return nothing()
  if (!isMap(contents)) {
    const what = isSeq(contents) ? 'a list' : 'a single value'
    return nothing({ file, ...yaml.placeOf(contents), key: '', message: `expected "key: value" lines, got ${what}` })
  }
  const values: Record<string, unknown> = { ...defaultValues() }
  const set = new Set<ConfigKey>()
  const problems: ConfigProblem[] = []
  for (const { key, pair, entryOf } of leaves(contents, '')) {
    const items = isConfigKey(key) ? CONFIG_KEYS[key].kind.items : undefined
    if (items !== undefined && isSeq(pair.value)) {
      const read = readItems(key, pair.value, items, yaml)
      problems.push(...read.problems.map((problem) => ({ file, ...problem })))
      values[key] = read.values
      set.add(key as ConfigKey)
      continue
    }
    const place = { file, ...yaml.placeOf(pair.key), key }
    const verdict =
      entryOf === undefined ? judge(key, pair, yaml, problems.length < MAX_HINTS) : judgeEntry(entryOf, pair, yaml)
    if (verdict === undefined) continue
    if ('message' in verdict) {
      const { message, got } = verdict
      problems.push({ ...place, message, ...(got !== undefined && { value: got }) })
      continue
    }
    const { value } = verdict
    if (entryOf !== undefined) {
      values[entryOf] = { ...(values[entryOf] as object), [nameOf(pair)]: value }
      set.add(entryOf)
      continue
    }
    const least = isConfigKey(key) ? CONFIG_KEYS[key].kind.least : undefined
    const counts = typeof value === 'number' && least !== undefined && value < least
    values[key] = counts ? least : value
    set.add(key as ConfigKey)
    if (counts) problems.push({ ...place, message: `${value} is raised to ${least}, the minimum`, value: least })
  }
  return { values: values as unknown as ConfigValues, set, problems }
}

/** Looking for what a key was meant to be costs; after so many problems it is left out. */
const MAX_HINTS = 20

const nothing = (...problems: readonly ConfigProblem[]): ReadValues => ({
  values: defaultValues(),
  set: new Set(),
  problems,
})

interface Found {
  readonly key: string
  readonly pair: Pair
  /** The key whose map this is an entry of. */
  readonly entryOf?: ConfigKey
}

const isSection = (key: string): boolean => configKeys().some((known) => known.startsWith(`${key}.`))

/**
 * Yields every key in the file, down to the keys of the table, and to the entries of those that are judged one by one;
 * a section that is not a map, and an unknown key, are yielded themselves.
 */
function* leaves(map: YAMLMap, prefix: string): Generator<Found> {
  for (const pair of map.items as readonly Pair[]) {
    const key = prefix === '' ? nameOf(pair) : `${prefix}.${nameOf(pair)}`
    if (isSection(key) && isMap(pair.value)) yield* leaves(pair.value, key)
    else if (isConfigKey(key) && CONFIG_KEYS[key].kind.each !== undefined && isMap(pair.value))
      for (const entry of pair.value.items as readonly Pair[])
        yield { key: `${key}.${nameOf(entry)}`, pair: entry, entryOf: key }
    else yield { key, pair }
  }
}

/** @returns undefined: the file leaves the key at its default */
function judge(key: string, { value: node }: Pair, yaml: YamlText, hint: boolean): Verdict | undefined {
  if (isConfigKey(key)) {
    const { kind, value: fallback } = CONFIG_KEYS[key]
    // Of what stands in the place of a map of secrets, nothing is shown.
    const shown = kind.each?.entry.secret ? { ...kind, secret: true as const } : kind
    const verdict = isEmpty(node) ? undefined : yaml.judge(shown, node)
    const isNull = verdict === undefined || ('message' in verdict && verdict.got === null)
    return fallback === null && isNull ? { value: null } : verdict
  }
  if (isSection(key)) return isEmpty(node) ? undefined : yaml.judge(SECTION, node)
  const near = hint ? nearest(key, configKeys()) : undefined
  return {
    message: `unknown key${near === undefined ? '; "hermes config get" lists those that exist' : `; did you mean ${near}?`}`,
  }
}

/** @returns undefined: the entry is empty, as if it were not there */
function judgeEntry(key: ConfigKey, { key: name, value }: Pair, yaml: YamlText): Verdict | undefined {
  const { each } = CONFIG_KEYS[key].kind
  if (each === undefined || isEmpty(value)) return undefined
  const named = yaml.judge(each.name, name)
  return 'message' in named ? named : yaml.judge(each.entry, value)
}

/** Something else is in the place of a section. */
const SECTION = { expected: 'keys below it', read: () => undefined, schema: {} }
