/** The state of `hermes top`, and what a key or news does to it. Pure. */
import type { Usage } from '../../control/slot-usage.ts'
import type { SlotStatus } from '../../protocol/control.ts'

export type Verb = 'start' | 'stop' | 'restart'

/** Orders of the list; each breaks its ties by name. */
export const SORTS = ['name', 'cpu', 'memory', 'restarts'] as const
export type Sort = (typeof SORTS)[number]

export interface TopState {
  readonly slots: readonly SlotStatus[]
  readonly usage: Readonly<Record<string, Usage>>
  /** Key of the chosen slot; undefined: there is none. */
  readonly chosen: string | undefined
  readonly sort: Sort
  /** Only slots whose names contain it are listed. */
  readonly filter: string
  /** `filter`: keys are typed into it; `confirm`: a key answers `ask`. */
  readonly mode: 'list' | 'filter' | 'confirm' | 'help'
  readonly ask: Action | undefined
  readonly showsLog: boolean
  /** The last lines of the chosen slot's log. */
  readonly log: readonly string[]
  /** The result of the last action, or the reason why the list may be old. */
  readonly note: string | undefined
}

export interface Action {
  readonly verb: Verb
  readonly slot: string
}

/** An action of the program, asked for by a key. */
export type Effect = { readonly quit: true } | { readonly suspend: true } | { readonly act: Action }

export interface Step {
  readonly state: TopState
  readonly effect?: Effect
}

export const EMPTY: TopState = {
  slots: [],
  usage: {},
  chosen: undefined,
  sort: 'name',
  filter: '',
  mode: 'list',
  ask: undefined,
  showsLog: true,
  log: [],
  note: undefined,
}

const MAX_FILTER = 64

/** The listed slots, in their order. */
export function listed({ slots, usage, sort, filter }: TopState): readonly SlotStatus[] {
  const weight: Readonly<Record<Sort, (slot: SlotStatus) => number>> = {
    name: () => 0,
    cpu: ({ slot }) => usage[slot]?.cpu ?? 0,
    memory: ({ slot }) => usage[slot]?.memory_bytes ?? 0,
    restarts: ({ restarts }) => restarts,
  }
  return slots
    .filter(({ slot }) => slot.includes(filter))
    .toSorted((a, b) => weight[sort](b) - weight[sort](a) || (a.slot < b.slot ? -1 : 1))
}

/** The choice stays on its slot, and moves to the first one where that is gone. */
function settled(state: TopState): TopState {
  const all = listed(state)
  if (all.some(({ slot }) => slot === state.chosen)) return state
  return { ...state, chosen: all[0]?.slot, log: [] }
}

export const withSlots = (state: TopState, slots: readonly SlotStatus[]): TopState => settled({ ...state, slots })

export const withSlot = (state: TopState, { slot, type }: { slot: SlotStatus; type: 'slot' | 'removed' }): TopState =>
  withSlots(state, [...state.slots.filter((one) => one.slot !== slot.slot), ...(type === 'removed' ? [] : [slot])])

/** @param page number of slots that the screen shows */
export function onKey(state: TopState, key: string, page: number): Step {
  if (key === 'ctrl-c' || key === 'ctrl-d') return { state, effect: { quit: true } }
  if (key === 'ctrl-z') return { state, effect: { suspend: true } }
  switch (state.mode) {
    case 'filter':
      return { state: settled(inFilter(state, key)) }
    case 'confirm':
      return inConfirm(state, key)
    case 'help':
      return { state: { ...state, mode: 'list' } }
    default:
      return inList({ ...state, note: undefined }, key, page)
  }
}

function inFilter(state: TopState, key: string): TopState {
  if (key === 'return') return { ...state, mode: 'list' }
  if (key === 'escape') return { ...state, mode: 'list', filter: '' }
  if (key === 'backspace') return { ...state, filter: state.filter.slice(0, -1) }
  // Names of slots have no other characters.
  return /^[a-z0-9._-]$/i.test(key) && state.filter.length < MAX_FILTER
    ? { ...state, filter: state.filter + key.toLowerCase() }
    : state
}

function inConfirm({ ask, ...state }: TopState, key: string): Step {
  const next = { ...state, ask: undefined, mode: 'list' as const }
  if (ask === undefined) return { state: next }
  return key === 'y' ? { state: next, effect: { act: ask } } : { state: { ...next, note: 'nothing was done' } }
}

const VERB_OF: Readonly<Record<string, Verb>> = { s: 'start', x: 'stop', r: 'restart' }

function inList(state: TopState, key: string, page: number): Step {
  const verb = VERB_OF[key]
  if (verb !== undefined) {
    if (state.chosen === undefined) return { state }
    const action = { verb, slot: state.chosen }
    return verb === 'start' ? { state, effect: { act: action } } : { state: { ...state, mode: 'confirm', ask: action } }
  }
  switch (key) {
    case 'q':
      return { state, effect: { quit: true } }
    case 'up':
    case 'k':
      return { state: moved(state, -1) }
    case 'down':
    case 'j':
      return { state: moved(state, 1) }
    case 'pageup':
      return { state: moved(state, -page) }
    case 'pagedown':
      return { state: moved(state, page) }
    case 'home':
    case 'g':
      return { state: moved(state, -Infinity) }
    case 'end':
    case 'G':
      return { state: moved(state, Infinity) }
    case 'o':
      return { state: { ...state, sort: SORTS[(SORTS.indexOf(state.sort) + 1) % SORTS.length] ?? 'name' } }
    case 'l':
      return { state: { ...state, showsLog: !state.showsLog } }
    case '/':
      return { state: { ...state, mode: 'filter' } }
    case 'escape':
      return { state: settled({ ...state, filter: '' }) }
    case '?':
    case 'h':
      return { state: { ...state, mode: 'help' } }
    default:
      return { state }
  }
}

function moved(state: TopState, by: number): TopState {
  const all = listed(state)
  const at = all.findIndex(({ slot }) => slot === state.chosen)
  const to = all[Math.max(0, Math.min(all.length - 1, at + by))]?.slot
  return to === state.chosen ? state : { ...state, chosen: to, log: [] }
}
