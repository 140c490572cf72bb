import { isMap, isScalar, isSeq, type Pair } from 'yaml'

/** Numbers in a command or an environment stay as typed: `1.10` is not 1.1 there. */
export function asWritten(node: unknown, raw: unknown): unknown {
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
