/** States for a caller who may not see all profiles. Pure. */
import { type Rights, sees } from '../../access/scope.ts'
import type { SlotStatus, StatusResult } from '../../protocol/control.ts'

type Limits = Pick<Rights, 'profiles'>

/** The state without the slots and the warnings of other profiles, of helpers and of services. */
export function narrowedStatus(status: StatusResult, rights: Limits): StatusResult {
  if (rights.profiles === undefined) return status
  const facts = status.warningFacts ?? []
  const kept = status.warnings.map((_, i) => sees(rights, facts[i]?.profile))
  const { holder: _, holderHost: __, ...rest } = status
  return {
    ...rest,
    slots: status.slots.filter(({ profile }) => sees(rights, profile)),
    warnings: status.warnings.filter((_, i) => kept[i]),
    ...(status.warningFacts !== undefined && { warningFacts: facts.filter((_, i) => kept[i]) }),
  }
}

/** Slots by their names, as usage is reported. @param slots all that are known */
export function narrowedUsage<U>(
  usage: Readonly<Record<string, U>>,
  slots: readonly SlotStatus[],
  rights: Limits,
): Readonly<Record<string, U>> {
  const seen = new Set(slots.filter(({ profile }) => sees(rights, profile)).map(({ slot }) => slot))
  return Object.fromEntries(Object.entries(usage).filter(([slot]) => seen.has(slot)))
}
