import { HermesError } from '../../system/errors.ts'
import { nearest } from '../../system/text/nearest.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { SlotTable } from '../slots/table.ts'

/** The slot of that name. @throws HermesError NO_SUCH_SLOT, which names the most similar one */
export function requireSlot(table: SlotTable, key: string): SlotEntry {
  const entry = table.get(key)
  if (entry !== undefined) return entry
  const near = nearest(
    key,
    table.entries().map(({ key }) => key),
  )
  throw new HermesError('NO_SUCH_SLOT', `no slot ${JSON.stringify(key)}`, {
    next: near === undefined ? '"hermes status" shows the slots' : `did you mean "${near}"? "hermes status" shows all`,
  })
}
