import type { SlotStatus } from '../../protocol/control.ts'
import { painter, stateStyle } from '../terminal/paint.ts'
import { stateText } from '../view/slots-view.ts'

/** Colours the states of these slots in a table of them, or in the facts about a single one. */
export const stateColours = (slots: readonly SlotStatus[]): ((text: string) => string) => {
  const paint = painter(true)
  const byName = new Map(slots.map((slot) => [slot.slot, slot]))
  const [first] = slots
  return (text) =>
    text
      .split('\n')
      .map((line) => {
        const [, head = '', name = ''] = /^((\S+) {2,}| {2}state +)/.exec(line) ?? []
        const slot = name === '' ? first : byName.get(name)
        if (head === '' || slot === undefined || !line.startsWith(stateText(slot), head.length)) return line
        const style = stateStyle(slot)
        const state = stateText(slot)
        return style === undefined ? line : `${head}${paint(style, state)}${line.slice(head.length + state.length)}`
      })
      .join('\n')
}
