import { useSignal } from '@preact/signals'
import type { ActionDone, Slot } from '../../contract/slots.ts'
import { slotPredicate, stateWords } from '../core/format.ts'
import { Button } from '../parts/button.tsx'
import { useApp } from '../stores/app-context.ts'
import type { Action } from '../stores/fleet.ts'

interface SlotActionsProps {
  readonly slotKey: string
  readonly slot: Slot | undefined
  readonly profile: string | undefined
  /** Shows text on the buttons. */
  readonly wide?: boolean
  /** Default: on this node. */
  readonly perform?: (action: Action) => Promise<ActionDone>
}

/** Buttons to start or stop, and to restart, as the state allows. The event stream reports the new state. */
export function SlotActions({ slotKey, slot, profile, wide = false, perform }: SlotActionsProps) {
  const { fleet, notices } = useApp()
  const busy = useSignal(false)
  const name = profile ?? slotKey
  const act = async (action: Action): Promise<void> => {
    busy.value = true
    try {
      const { changed, slot: now } = await (perform?.(action) ?? fleet.act(slotKey, action, profile))
      notices.done(
        changed ? `${name} ${slotPredicate(now, Date.now())}` : `${name} was already ${stateWords(now.state)}`,
      )
    } catch (error) {
      notices.failed(error)
    } finally {
      busy.value = false
    }
  }
  const stoppable = slot !== undefined && slot.state !== 'down' && slot.state !== 'parked'
  const first: Action = stoppable ? 'stop' : 'start'
  return (
    <>
      <Button
        needs="operate"
        icon={first}
        label={`${first === 'start' ? 'Start' : 'Stop'} ${name}`}
        tone={wide ? 'plain' : 'quiet'}
        disabled={busy.value || slot === undefined}
        onClick={() => void act(first)}
      >
        {wide ? (first === 'start' ? 'Start' : 'Stop') : undefined}
      </Button>
      <Button
        needs="operate"
        icon="restart"
        label={`Restart ${name}`}
        tone={wide ? 'plain' : 'quiet'}
        disabled={busy.value || slot === undefined}
        onClick={() => void act('restart')}
      >
        {wide ? 'Restart' : undefined}
      </Button>
    </>
  )
}
