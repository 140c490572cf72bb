import type { Slot } from '../../contract/slots.ts'
import { remarkOf } from '../core/format.ts'

/** A slot's state: a word, and a dot whose shape and colour mean the same. */
export function State({ slot }: { readonly slot: Slot | undefined }) {
  const state = slot?.state ?? 'unknown'
  return (
    <span class={`state ${state}`}>
      <span class="dot" />
      {state}
    </span>
  )
}

/** Only the dot, with the word for screen readers. */
export function StateDot({ slot }: { readonly slot: Slot | undefined }) {
  const state = slot?.state ?? 'unknown'
  return (
    <span class={`state ${state}`} title={state}>
      <span class="dot" />
      <span class="unseen">{state}</span>
    </span>
  )
}

/** Why a slot is not up, or what is wrong although it is. */
export function Remark({ slot }: { readonly slot: Slot | undefined }) {
  const remark = slot && remarkOf(slot)
  return remark ? <p class={`slot-reason ${remark.tone}`}>{remark.text}</p> : null
}
