/** The difference between two readings of an image's services. */
import type { ReloadResult } from '../protocol/control.ts'
import { isRecord } from '../system/text/record.ts'
import type { ServicePrograms, ServiceRules } from './definition.ts'

export type ReloadPlan = Omit<ReloadResult, 'dryRun'>

type Rules = ReadonlyMap<string, ServiceRules>

/** @param otherPrograms services whose programs have changed; only init knows them */
export function planReload(before: Rules, after: Rules, otherPrograms: ReadonlySet<string>): ReloadPlan {
  const names = [...after.keys()]
  const common = names.filter((name) => before.has(name))
  const changed = common.filter((name) => otherPrograms.has(name) || !isSameRules(before.get(name), after.get(name)))
  return {
    added: names.filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed,
    unchanged: common.length - changed.length,
  }
}

/** A definition that has moved to another file is the same. */
const isSameRules = (one: ServiceRules | undefined, other: ServiceRules | undefined): boolean =>
  canonical({ ...one, source: '' }) === canonical({ ...other, source: '' })

/** Its place in the order may change with other services. */
export const isSamePrograms = (one: ServicePrograms, other: ServicePrograms): boolean =>
  canonical({ ...one, depth: 0 }) === canonical({ ...other, depth: 0 })

/** The same text for the same data, in whatever order its keys are. */
const canonical = (data: unknown): string =>
  JSON.stringify(data, (_key, value: unknown) =>
    isRecord(value)
      ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  )
