/** All that a tick writes, in one transaction. */
import type { ClaimLimits, TickWrite, Written } from '../port/tick-writes.ts'
import { ANY } from '../task.ts'
import type { Tables } from './tables.ts'
import { assignDefault, claim, endRun, extendClaim, promote, recordWorker } from './tick-steps.ts'

type Claim = Extract<TickWrite, { readonly type: 'claim' }>

export function writeTick(
  tables: Tables,
  writes: readonly TickWrite[],
  limits: ClaimLimits,
  wallMs: number,
): readonly Written[] {
  // Before the transaction: they use a connection of their own, which does not wait for the disk.
  const extended = new Map<TickWrite, boolean>()
  for (const one of writes) if (one.type === 'extend') extended.set(one, extendClaim(tables, one.row, wallMs))
  if (extended.size === writes.length) return writes.map((one) => result(extended.get(one) === true))
  return tables.write(() => {
    const claims = new Claims(tables, limits)
    return writes.map((one) => (one.type === 'extend' ? result(extended.get(one) === true) : write(one)))

    function write(one: Exclude<TickWrite, { readonly type: 'extend' }>): Written {
      switch (one.type) {
        case 'note':
          recordWorker(tables, one.id, one.runId, one.worker, one.workspace, wallMs)
          return result(true)
        case 'end':
          return result(endRun(tables, one.row, one.end, one.settlement, wallMs))
        case 'promote':
          return result(promote(tables, one.id, one.from, one.to, wallMs))
        case 'assign':
          return result(assignDefault(tables, one.id, one.assignee, wallMs))
        case 'claim':
          return claims.make(one, wallMs)
      }
    }
  })
}

const result = (done: boolean): Written => ({ state: done ? 'done' : 'lost' })

/** Counts claims against the caps, from what runs when the first of them is made. */
class Claims {
  readonly #tables: Tables
  readonly #limits: ClaimLimits
  readonly #poolOf: ReadonlyMap<string, string>
  readonly #poolCaps: ReadonlyMap<string, number>
  #busy: Map<string, number> | undefined
  #made = 0

  constructor(tables: Tables, limits: ClaimLimits) {
    this.#tables = tables
    this.#limits = limits
    this.#poolOf = new Map(Object.entries(limits.pools.of))
    this.#poolCaps = new Map(Object.entries(limits.pools.caps))
  }

  make({ id, assignee }: Claim, wallMs: number): Written {
    const { most, perProfile, board, place } = this.#limits
    if (this.#made >= most) return { state: 'untried' }
    const busy = this.#busyNow()
    const ofProfile = busy.get(assignee) ?? 0
    if (perProfile !== null && ofProfile >= perProfile) return { state: 'full' }
    if (board !== null && [...busy.values()].reduce((sum, n) => sum + n, 0) >= board) return { state: 'full' }
    if (this.#isPoolFull(assignee, busy)) return { state: 'full' }
    const claimed = claim(this.#tables, id, assignee, place, wallMs)
    if (claimed === undefined) return { state: 'lost' }
    busy.set(assignee, ofProfile + 1)
    this.#made += 1
    return { state: 'done', claimed }
  }

  #isPoolFull(profile: string, busy: ReadonlyMap<string, number>): boolean {
    const pool = this.#poolOf.get(profile)
    const cap = pool === undefined ? undefined : this.#poolCaps.get(pool)
    if (cap === undefined) return false
    const ofPool = [...busy].reduce((sum, [name, n]) => sum + (this.#poolOf.get(name) === pool ? n : 0), 0)
    return ofPool >= cap
  }

  #busyNow(): Map<string, number> {
    const { perProfile, board } = this.#limits
    const hasCaps = perProfile !== null || board !== null || this.#poolCaps.size > 0
    this.#busy ??= new Map(hasCaps ? this.#running().map(({ assignee, n }) => [assignee, n]) : [])
    return this.#busy
  }

  #running(): readonly { readonly assignee: string; readonly n: number }[] {
    return this.#tables.all(
      `SELECT coalesce(CASE WHEN t.assignee = '${ANY}' THEN r.profile ELSE t.assignee END, '') AS assignee, count(*) AS n
       FROM tasks t INDEXED BY tasks_running LEFT JOIN runs r ON r.id = t.current_run
       WHERE t.status = 'running' GROUP BY 1`,
    )
  }
}
