import { type Signal, useSignal } from '@preact/signals'
import { plural } from '../../core/format.ts'
import { SORTS, STATE_FILTERS, type Wish } from '../../core/slot-order.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useApp } from '../../stores/app-context.ts'
import { type Action, gatewaySlot } from '../../stores/fleet.ts'

/** Requests at once: the server has other viewers. */
const AT_ONCE = 6
/** Names that a question lists. */
const NAMED = 10
const WORDS: Readonly<Record<Action, { readonly verb: string; readonly done: string }>> = {
  start: { verb: 'Start', done: 'started' },
  stop: { verb: 'Stop', done: 'stopped' },
  restart: { verb: 'Restart', done: 'restarted' },
}

interface ToolsProps {
  readonly wish: Signal<Wish>
  /** Names of the profiles that are shown. */
  readonly shown: readonly string[]
}

/** Filters and sorts the profiles, and acts on all that are shown. */
export function Tools({ wish, shown }: ToolsProps) {
  const asked = useSignal<Action | undefined>(undefined)
  const change = (part: Partial<Wish>): void => {
    wish.value = { ...wish.value, ...part }
  }
  return (
    <div class="slots-tools">
      <label class="search">
        <span class="unseen">Filter profiles</span>
        <Icon name="search" />
        <input
          type="search"
          placeholder="Name or description"
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => change({ text: event.currentTarget.value })}
        />
      </label>
      <Choice
        label="States shown"
        options={STATE_FILTERS}
        value={wish.value.state}
        onChoose={(state) => change({ state })}
      />
      <Choice label="Order" options={SORTS} value={wish.value.sort} onChoose={(sort) => change({ sort })} />
      <span class="muted number slots-count">{plural(shown.length, 'profile')}</span>
      {(['start', 'stop', 'restart'] as const).map((action) => (
        <Button
          key={action}
          needs="operate"
          icon={action}
          label={`${WORDS[action].verb} all that are shown`}
          disabled={shown.length === 0}
          onClick={() => (asked.value = action)}
        />
      ))}
      {asked.value !== undefined && (
        <AskFirst action={asked.value} names={shown} onClose={() => (asked.value = undefined)} />
      )}
    </div>
  )
}

interface ChoiceProps<K extends string> {
  readonly label: string
  readonly options: Readonly<Record<K, string>>
  readonly value: K
  readonly onChoose: (value: K) => void
}

function Choice<K extends string>({ label, options, value, onChoose }: ChoiceProps<K>) {
  return (
    <label>
      <span class="unseen">{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value as K)}>
        {(Object.entries(options) as [K, string][]).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}

interface AskFirstProps {
  readonly action: Action
  readonly names: readonly string[]
  readonly onClose: () => void
}

/** Lists what it is about to happen to: the list may change while the dialog is open, and this one does not. */
function AskFirst({ action, names, onClose }: AskFirstProps) {
  const { fleet, notices } = useApp()
  const fixed = useSignal(names).peek()
  const { verb, done } = WORDS[action]
  const count = plural(fixed.length, 'gateway')
  const perform = async (): Promise<void> => {
    const left = [...fixed]
    const failures: unknown[] = []
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift())
        await fleet.act(gatewaySlot(name), action, name).catch((error: unknown) => failures.push(error))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    if (failures.length < fixed.length)
      notices.done(`${plural(fixed.length - failures.length, 'gateway')} will be ${done}`)
    // One for all: they mostly fail for one reason.
    if (failures.length > 0) notices.failed(failures[0])
  }
  return (
    <Confirm title={`${verb} ${count}?`} action={`${verb} ${count}`} perform={perform} onClose={onClose}>
      <p>
        {fixed.slice(0, NAMED).join(', ')}
        {fixed.length > NAMED && ` and ${plural(fixed.length - NAMED, 'more', 'more')}`}
      </p>
    </Confirm>
  )
}
