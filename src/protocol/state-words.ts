import type { SlotStatus } from './control.ts'

/** A slot's state as the predicate after `is`: `up`, `waiting for its next start`. Tables show the state's name. */
export const stateWords = (state: SlotStatus['state']): string =>
  state === 'backoff' ? 'waiting for its next start' : state
