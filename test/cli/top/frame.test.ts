import { describe, expect, test } from 'vitest'
import { stateColours } from '../../../src/cli/context/state-colours.ts'
import { painter, stateStyle, wantsColours } from '../../../src/cli/terminal/paint.ts'
import { redraw } from '../../../src/cli/terminal/screen.ts'
import { frame, memoryText } from '../../../src/cli/top/frame.ts'
import { EMPTY, onKey, type TopState, withSlots } from '../../../src/cli/top/model.ts'
import type { SlotStatus } from '../../../src/protocol/control.ts'

const AT = '2026-12-01T12:00:00.000Z'
const slot = (name: string, over: Partial<SlotStatus> = {}): SlotStatus => ({
  slot: name,
  state: 'up',
  wanted: 'up',
  ready: true,
  pid: 12,
  since: AT,
  restarts: 0,
  log: '/l',
  ...over,
})
const plain = (_: string, text: string): string => text
const lines = (state: TopState, columns = 80, rows = 24): readonly string[] =>
  frame(state, { size: { columns, rows }, wallMs: Date.parse(AT) + 90_000, host: 'nas', paint: plain })

const state = withSlots(EMPTY, [
  slot('gateway-coder', { restarts: 2 }),
  slot('gateway-writer', { state: 'parked', ready: false, reason: 'exited with code 78' }),
])

describe('the lines of the screen', () => {
  test('at 80 × 24 are the title, the list, the log of the chosen slot and the keys', () => {
    const usage = { 'gateway-coder': { cpu: 0.125, memory_bytes: 96_400_000, processes: 2 } }
    const shown = lines({ ...state, usage, log: ['one', 'two\x1b[2J'] }).map((line) => line.trimEnd())
    expect(shown).toHaveLength(24)
    expect(shown.slice(0, 4)).toEqual([
      'hermes top  nas  2 slots: 1 up, 1 parked                               12:01:30Z',
      'SLOT           STATE               PID   CPU MEMORY RESTARTS FOR',
      'gateway-coder  up                   12  12.5    96M        2 1 min 30 s',
      'gateway-writer parked               12     -      -        0 1 min 30 s  exited',
    ])
    expect(shown[15]).toMatch(/^-- log of gateway-coder -{50,}$/)
    // Output of a program moves no cursor.
    expect(shown.slice(16, 19)).toEqual(['one', 'two\\u001b[2J', ''])
    expect(shown[23]).toMatch(/^q quit {2}\? keys {2}s start {2}x stop {2}r restart/)
  })

  test.each([
    [80, 24],
    [132, 50],
    [40, 8],
    [20, 3],
    [1, 1],
  ])('fill %i × %i, and no more', (columns, rows) => {
    const many = withSlots(
      EMPTY,
      Array.from({ length: 300 }, (_, n) => slot(`gateway-p${n}`, { reason: 'x'.repeat(200) })),
    )
    for (const mode of ['list', 'filter', 'help'] as const) {
      const shown = lines({ ...many, mode, log: Array.from({ length: 99 }, () => 'y'.repeat(500)) }, columns, rows)
      expect(shown).toHaveLength(rows)
      if (columns >= 80) expect(Math.max(...shown.map((line) => line.length))).toBeLessThanOrEqual(columns)
    }
  })

  test('contain the chosen slot, wherever in a long list it is', () => {
    let many = withSlots(
      EMPTY,
      Array.from({ length: 100 }, (_, n) => slot(`p${String(n).padStart(3, '0')}`)),
    )
    for (const key of ['end', 'up', 'pageup', 'home', 'pagedown']) {
      many = onKey(many, key, 13).state
      expect(
        lines(many).some((line) => line.startsWith(`${many.chosen} `)),
        key,
      ).toBe(true)
    }
  })

  test('name what is asked, typed and noted in the last one', () => {
    const last = (more: Partial<TopState>): string => lines({ ...state, ...more }).at(-1) ?? ''
    const ask = { verb: 'stop', slot: 'gateway-coder' } as const
    expect(last({ mode: 'confirm', ask })).toBe('stop gateway-coder? y: yes, any other key: no')
    expect(last({ mode: 'filter', filter: 'co' })).toContain('name contains: co_')
    expect(last({ note: 'gone\nnow' })).toBe('gone now')
    expect(last({ filter: 'co' })).toContain('order: name, only "co"')
  })

  test('say why the list is empty', () => {
    expect(lines(EMPTY)[2]).toBe('no slots')
    expect(lines({ ...state, filter: 'zzz' })[2]).toBe('no slot has such a name')
  })
})

test.each([
  [812_400, '812K'],
  [96_400_000, '96M'],
  [1_240_000_000, '1.2G'],
])('%i bytes are %s', (bytes, text) => expect(memoryText(bytes)).toBe(text))

describe('redraw', () => {
  const sync = (text: string): string => `\x1b[?2026h${text}\x1b[?2026l`

  test('writes only lines that differ, and nothing if none does', () => {
    expect(redraw(['a', 'b', 'c'], ['a', 'x', 'c'])).toBe(sync('\x1b[2;1Hx\x1b[K'))
    expect(redraw(['a', 'b'], ['a', 'b'])).toBe('')
  })

  test('clears what is below fewer lines, and everything that it does not know', () => {
    expect(redraw(['a', 'b'], ['a'])).toBe(sync('\x1b[2;1H\x1b[K'))
    expect(redraw(undefined, ['a'])).toBe(sync('\x1b[2J\x1b[1;1Ha\x1b[K'))
  })
})

describe('colours', () => {
  test.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ TERM: 'dumb' }, true, false],
  ] as const)('with %j, on a terminal: %j → %j', (env, isTerminal, wants) => {
    expect(wantsColours(env, isTerminal)).toBe(wants)
  })

  test('without colours, a choice is still to be seen', () => {
    expect(painter(false)('green', 'up')).toBe('up')
    expect(painter(false)('reverse', 'up')).toBe('\x1b[7mup\x1b[0m')
  })

  test.each([
    [{}, 'green'],
    [{ ready: false }, 'yellow'],
    [{ health: 'stuck' }, 'red'],
    [{ state: 'parked' }, 'red'],
    [{ state: 'backoff' }, 'yellow'],
    [{ state: 'down', wanted: 'up' }, 'red'],
    [{ state: 'down', wanted: 'up', nextStartAt: AT }, undefined],
    [{ state: 'down', wanted: 'down' }, undefined],
  ] as const)('of a slot with %j: %s', (over, style) => {
    expect(stateStyle(slot('a', over))).toBe(style)
  })

  test('are in the column of states only', () => {
    const parked = slot('up', { state: 'parked' })
    const colours = stateColours([slot('gateway-up'), parked])
    const text = 'SLOT        STATE   PID\ngateway-up  up      12\nup          parked  -\nwarning: up  and down\n'
    expect(colours(text)).toBe(
      text.replace('up      12', '\x1b[32mup\x1b[0m      12').replace('parked', '\x1b[31mparked\x1b[0m'),
    )
    expect(stateColours([parked])('up\n  state      parked\n  wanted     up\n')).toBe(
      'up\n  state      \x1b[31mparked\x1b[0m\n  wanted     up\n',
    )
  })
})
