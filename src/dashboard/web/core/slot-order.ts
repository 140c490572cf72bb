/** Which profiles the overview shows, and in which order. */
import type { Slot } from '../../contract/slots.ts'

export const STATE_FILTERS = { all: 'All states', up: 'Up', trouble: 'Parked or backing off', down: 'Down' } as const
export const SORTS = {
  name: 'By name',
  state: 'Trouble first',
  cpu: 'By CPU',
  memory: 'By memory',
  restarts: 'By restarts',
} as const

export interface Wish {
  /** Part of the name or of the description, in any case; empty: any. */
  readonly text: string
  readonly state: keyof typeof STATE_FILTERS
  readonly sort: keyof typeof SORTS
}

export interface Listed {
  readonly name: string
  readonly description?: string | undefined
}

/** Facts of a profile; absent: not known yet. */
export interface Looked {
  readonly slot: Pick<Slot, 'state' | 'restarts'> | undefined
  readonly usage: { readonly cpu: number; readonly memory_bytes: number } | undefined
}

const STATES: Readonly<Record<Wish['state'], readonly Slot['state'][]>> = {
  all: [],
  up: ['up'],
  trouble: ['parked', 'backoff'],
  down: ['down', 'done'],
}
const TROUBLE_FIRST: readonly Slot['state'][] = ['parked', 'backoff', 'stopping', 'starting', 'up', 'done', 'down']

/**
 * Filters and sorts.
 * @param profiles by name, as the server lists them: equal ones keep this order
 */
export function wished<P extends Listed>(profiles: readonly P[], look: (name: string) => Looked, wish: Wish): P[] {
  const text = wish.text.trim().toLowerCase()
  const states = STATES[wish.state]
  const found = profiles.filter(({ name, description = '' }) => {
    if (!name.includes(text) && !description.toLowerCase().includes(text)) return false
    const state = look(name).slot?.state
    return states.length === 0 || (state !== undefined && states.includes(state))
  })
  const { sort } = wish
  if (sort === 'name') return found
  const ranks = new Map(found.map((profile) => [profile, rank(look(profile.name), sort)]))
  return found.sort((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0))
}

/** The lowest comes first. */
function rank({ slot, usage }: Looked, sort: Exclude<Wish['sort'], 'name'>): number {
  switch (sort) {
    case 'state':
      return slot === undefined ? TROUBLE_FIRST.length : TROUBLE_FIRST.indexOf(slot.state)
    case 'cpu':
      return -(usage?.cpu ?? 0)
    case 'memory':
      return -(usage?.memory_bytes ?? 0)
    case 'restarts':
      return -(slot?.restarts ?? 0)
  }
}
