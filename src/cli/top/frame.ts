/** The lines of `hermes top` on a screen. Pure. */
import type { SlotStatus } from '../../protocol/control.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { type Paint, stateStyle } from '../terminal/paint.ts'
import { ageText, deathText, isBetweenRuns, stateText } from '../view/slots-view.ts'
import { listed, SORTS, type TopState } from './model.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface FrameFacts {
  readonly size: Size
  readonly wallMs: number
  /** Name of this machine or container. */
  readonly host: string
  readonly paint: Paint
}

/** Title, head of the list, keys. */
const FIXED_ROWS = 3
/** With fewer rows, the log would leave too little of the list. */
const LOG_FROM_ROWS = 12

const HELP: readonly string[] = [
  'up, down, j, k      choose a slot; page up, page down, g, G: further',
  's                   start the slot',
  'x, r                stop, restart the slot, after a question',
  `o                   order: ${SORTS.join(', ')}`,
  '/                   show only slots whose name contains a text; escape: all',
  'l                   show or hide the log of the slot',
  'q, Ctrl-C           quit; Ctrl-Z: suspend',
  '',
  'CPU is in percent of one core. MEMORY is that of all processes, in RAM.',
]

/** Rows of the list, and of the log with its title. */
export function layout({ showsLog }: TopState, { rows }: Size): { readonly list: number; readonly log: number } {
  const room = Math.max(1, rows - FIXED_ROWS)
  const log = showsLog && rows >= LOG_FROM_ROWS ? Math.floor(room * 0.4) : 0
  return { list: room - log, log }
}

/** As many lines as the screen has rows. A line may be wider than the screen: the terminal cuts it off. */
export function frame(state: TopState, facts: FrameFacts): readonly string[] {
  const { size, paint } = facts
  const { list, log } = layout(state, size)
  const body =
    state.mode === 'help' ? filled(HELP, list + log) : [...listRows(state, facts, list), ...logRows(state, facts, log)]
  const head = state.mode === 'help' ? 'KEYS' : headOf(nameWidth(state, size))
  return [title(state, facts), paint('bold', cut(head, size.columns)), ...body, bottom(state, facts)].slice(
    0,
    size.rows,
  )
}

const filled = (lines: readonly string[], count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => lines[at] ?? '')

function title(state: TopState, { size, host, wallMs, paint }: FrameFacts): string {
  const counts = Map.groupBy(state.slots, (slot) => (isBetweenRuns(slot) ? 'scheduled' : slot.state))
  const words = [...counts].map(([name, slots]) => `${slots.length} ${name}`)
  const time = new Date(wallMs).toISOString().slice(11, 19)
  const left = `hermes top  ${oneLine(host)}  ${state.slots.length} slots: ${words.join(', ')}`
  return paint('bold', `${cut(left, size.columns - 10).padEnd(size.columns - 9)}${time}Z`)
}

const COLUMNS = ['STATE', 'PID', 'CPU', 'MEMORY', 'RESTARTS', 'FOR'] as const
const WIDTHS = { STATE: 15, PID: 7, CPU: 5, MEMORY: 6, RESTARTS: 8, FOR: 11 } as const
const OTHERS_WIDTH = Object.values(WIDTHS).reduce((sum, width) => sum + width + 1, 0)
const MIN_NAME = 12

/** As wide as the longest name needs, if the other columns then fit. */
function nameWidth(state: TopState, { columns }: Size): number {
  const longest = Math.max(4, ...state.slots.map(({ slot }) => slot.length))
  return Math.max(MIN_NAME, Math.min(longest, columns - OTHERS_WIDTH))
}

const cells = (values: Readonly<Record<(typeof COLUMNS)[number], string>>): string =>
  COLUMNS.map((name) =>
    name === 'STATE' || name === 'FOR'
      ? cut(values[name], WIDTHS[name]).padEnd(WIDTHS[name])
      : values[name].padStart(WIDTHS[name]),
  ).join(' ')

const headOf = (width: number): string =>
  `${'SLOT'.padEnd(width)} ${cells(Object.fromEntries(COLUMNS.map((name) => [name, name])) as Record<(typeof COLUMNS)[number], string>)}`

function listRows(state: TopState, facts: FrameFacts, count: number): readonly string[] {
  const all = listed(state)
  if (all.length === 0) return filled([state.slots.length === 0 ? 'no slots' : 'no slot has such a name'], count)
  const at = all.findIndex(({ slot }) => slot === state.chosen)
  // The chosen one is always on the screen, and the list moves no more than it must.
  const first = Math.max(0, Math.min(at - Math.floor(count / 2), all.length - count))
  const width = nameWidth(state, facts.size)
  const rows = all.slice(first, first + count).map((slot) => row(slot, state, facts, width))
  return filled(rows, count)
}

function row(slot: SlotStatus, state: TopState, { size, wallMs, paint }: FrameFacts, width: number): string {
  const used = state.usage[slot.slot]
  const name = cut(slot.slot, width).padEnd(width)
  const values = cells({
    STATE: stateText(slot),
    PID: slot.pid === undefined ? '-' : `${slot.pid}`,
    CPU: used === undefined ? '-' : (used.cpu * 100).toFixed(used.cpu >= 1 ? 0 : 1),
    MEMORY: used === undefined ? '-' : memoryText(used.memory_bytes),
    RESTARTS: `${slot.restarts}`,
    FOR: ageText(slot.since, wallMs),
  })
  const why = slot.reason ?? (slot.lastDeath ? `last death ${deathText(slot.lastDeath)}` : '')
  const text = cut(`${name} ${values} ${oneLine(why)}`, size.columns)
  if (slot.slot === state.chosen) return paint('reverse', text.padEnd(size.columns))
  const style = stateStyle(slot)
  // Only the state is coloured, so that the rest is read as easily as before.
  const from = width + 1
  const to = from + WIDTHS.STATE
  return style === undefined
    ? text.trimEnd()
    : `${text.slice(0, from)}${paint(style, text.slice(from, to))}${text.slice(to).trimEnd()}`
}

/** `812K`, `96M`, `1.2G` */
export function memoryText(bytes: number): string {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)}K`
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)}M` : `${(bytes / 1e9).toFixed(1)}G`
}

function logRows({ chosen, log }: TopState, { size, paint }: FrameFacts, count: number): readonly string[] {
  if (count === 0) return []
  const head = `-- log of ${chosen ?? 'no slot'} `
  const lines = log.slice(Math.max(0, log.length - (count - 1))).map((line) => cut(oneLine(line), size.columns))
  return [paint('bold', head.padEnd(size.columns, '-').slice(0, size.columns)), ...filled(lines, count - 1)]
}

function bottom(state: TopState, { size, paint }: FrameFacts): string {
  const { mode, ask, filter, note, sort } = state
  if (mode === 'confirm' && ask !== undefined)
    return paint('bold', cut(`${ask.verb} ${ask.slot}? y: yes, any other key: no`, size.columns))
  if (mode === 'filter')
    return paint('bold', cut(`name contains: ${filter}_   (return: keep, escape: all)`, size.columns))
  if (mode === 'help') return 'any key: back to the list'
  if (note !== undefined) return paint('bold', cut(oneLine(note), size.columns))
  const only = filter === '' ? '' : `, only "${filter}"`
  return cut(`q quit  ? keys  s start  x stop  r restart  / find  o order: ${sort}${only}  l log`, size.columns)
}

/** By characters. Most are one column wide; what is wider is cut off by the terminal. */
const cut = (text: string, columns: number): string =>
  text.length <= columns ? text : [...text].slice(0, Math.max(0, columns)).join('')
