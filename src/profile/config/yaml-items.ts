/** Reads a list of maps key by key, so that a problem has the line and the name of its key. */
import { isMap, type Pair, type YAMLMap, type YAMLSeq } from 'yaml'
import { nearest } from '../../system/text/nearest.ts'
import type { ConfigProblem } from './keys.ts'
import type { Items, Kind } from './kinds/kinds.ts'
import { isEmpty, nameOf, type YamlText } from './yaml-document.ts'

type Problem = Omit<ConfigProblem, 'file'>

/** @returns the items without a problem, in their order */
export function readItems(
  key: string,
  list: YAMLSeq,
  items: Items,
  yaml: YamlText,
): { readonly values: readonly unknown[]; readonly problems: readonly Problem[] } {
  const values: object[] = []
  const problems: Problem[] = []
  for (const [at, node] of list.items.entries()) {
    const own = `${key}.${nameOfItem(node) ?? at + 1}`
    const place = yaml.placeOf(node)
    if (!isMap(node)) {
      const verdict = yaml.judge({ ...ANY_MAP, expected: `keys such as ${Object.keys(items.fields)[0]}` }, node)
      if ('message' in verdict) problems.push({ ...place, key: own, message: verdict.message })
      continue
    }
    const { item, faults } = readFields(own, node, items, yaml)
    problems.push(...faults)
    if (faults.length > 0) continue
    const checked = items.check(item, values)
    if (typeof checked === 'string') problems.push({ ...place, key: own, message: checked })
    else values.push(checked)
  }
  return { values, problems }
}

function readFields(own: string, node: YAMLMap, { fields }: Items, yaml: YamlText) {
  const item: Record<string, unknown> = {}
  const faults: Problem[] = []
  for (const pair of node.items as readonly Pair[]) {
    const name = nameOf(pair)
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    const place = { ...yaml.placeOf(pair.key), key: `${own}.${name}` }
    if (field === undefined) {
      const near = nearest(name, Object.keys(fields))
      const hint = near === undefined ? `the keys are ${Object.keys(fields).join(', ')}` : `did you mean ${near}?`
      faults.push({ ...place, message: `unknown key; ${hint}` })
      continue
    }
    if (isEmpty(pair.value)) continue
    const verdict = yaml.judge(field, pair.value)
    if ('message' in verdict) faults.push({ ...place, message: verdict.message })
    else item[name] = verdict.value
  }
  return { item, faults }
}

/** Its `name`, if that is a text to print. */
function nameOfItem(node: unknown): string | undefined {
  if (!isMap(node)) return undefined
  const name = node.get('name')
  return typeof name === 'string' && /^[\w-]{1,64}$/.test(name) ? name : undefined
}

const ANY_MAP: Omit<Kind<unknown>, 'expected'> = { read: () => undefined, schema: {}, secret: true }
