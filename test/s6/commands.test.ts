import { expect, describe as group, test } from 'vitest'
import { decodeStatus } from '../../src/s6/status.ts'
import { isOver, parseSvc } from '../../src/s6/svc.ts'
import { describe, parseSvstat } from '../../src/s6/svstat.ts'

/** s6 2.11.3.2's own bytes: up since 2026-11-22T12:13:00.279507921Z, pid 15916, never ready. */
const UP = '400000006b02dc7110a8f3d1400000006b02dc7110937bc20000000000003e2c000004'
const SINCE_MS = Date.UTC(2026, 10, 22, 12, 13, 0, 279)
const FOR_FIVE_SECONDS = SINCE_MS + 5_500

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const seen = (hex: string, normallyUp = true, nowMs = FOR_FIVE_SECONDS) => {
  const state = decodeStatus(bytes(hex))
  if (state === undefined) throw new Error(`no status: ${hex}`)
  return { state, normallyUp, nowMs }
}
/** The same status with another pid, wait status and flags. */
const changed = ({ pid = 0, waitStatus = 0, flags = 0 }): string =>
  `${UP.slice(0, 48)}${[pid.toString(16).padStart(16, '0'), waitStatus.toString(16).padStart(4, '0'), flags.toString(16).padStart(2, '0')].join('')}`
const sentence = { fields: [], numeric: false }

group('s6-svstat', () => {
  test("reads s6's own status file", () => {
    expect(seen(UP).state).toMatchObject({ pid: 15916, wantedUp: true, ready: false, paused: false, waitStatus: 0 })
    expect(seen(UP).state.changedAt.unixMs).toBe(SINCE_MS)
  })
  test('reads the longer status of s6 2.13 too, and nothing else', () => {
    const long = `${UP.slice(0, 64)}00000000000024a3${UP.slice(64)}`
    expect(decodeStatus(bytes(long))).toMatchObject({ pid: 15916, wantedUp: true })
    expect(decodeStatus(bytes(UP.slice(2)))).toBeUndefined()
    expect(decodeStatus(bytes(''))).toBeUndefined()
  })
  test.each([
    [UP, true, 'up (pid 15916 pgid 15916) 5 seconds'],
    [UP, false, 'up (pid 15916 pgid 15916) 5 seconds, normally down'],
    [changed({ pid: 7, flags: 0x05 }), true, 'up (pid 7 pgid 7) 5 seconds, paused'],
    [changed({ pid: 7, flags: 0x0c }), true, 'up (pid 7 pgid 7) 5 seconds, ready 5 seconds'],
    [changed({ pid: 7, flags: 0x00 }), true, 'up (pid 7 pgid 7) 5 seconds, want down'],
    [changed({ waitStatus: 15, flags: 0x08 }), false, 'down (signal SIGTERM) 5 seconds, ready 5 seconds'],
    [
      changed({ waitStatus: 0x0700, flags: 0x0c }),
      true,
      'down (exitcode 7) 5 seconds, normally up, want up, ready 5 seconds',
    ],
    [changed({ pid: 9, waitStatus: 9, flags: 0x06 }), true, 'down (signal SIGKILL) 5 seconds, normally up, want up'],
  ])('says %s (normally up: %s) as "%s"', (hex, normallyUp, text) => {
    expect(describe(seen(hex, normallyUp), sentence)).toBe(text)
  })
  test('prints the fields asked for, in their order', () => {
    const request = parseSvstat(['-upe', '-o', 'signal,updownfor', 'x'])
    expect(request).toEqual({ fields: ['up', 'pid', 'exitcode', 'signal', 'updownfor'], numeric: false, dir: 'x' })
    if (typeof request === 'string') throw new Error(request)
    expect(describe(seen(UP), request)).toBe('true 15916 -1 NA 5')
    expect(describe(seen(changed({ waitStatus: 15, flags: 8 })), request)).toBe('false -1 -1 SIGTERM 5')
  })
  test('a clock that was set back never shows a negative time', () => {
    expect(describe(seen(UP, true, SINCE_MS - 60_000), sentence)).toContain('0 seconds')
  })
  test('says what is wrong with its words', () => {
    expect(parseSvstat(['-z', 'x'])).toBe('unknown option -z')
    expect(parseSvstat(['-o', 'nonsense', 'x'])).toContain('unknown field "nonsense"')
    expect(parseSvstat([])).toBe('expected one slot directory')
  })
})

group('s6-svc', () => {
  test('keeps the order of its letters, which is their order on the wire', () => {
    expect(parseSvc(['-du', 'x'])).toEqual({ letters: 'du', wait: undefined, timeoutMs: undefined, dir: 'x' })
    expect(parseSvc(['-wD', '-T', '500', '-d', 'x'])).toEqual({ letters: 'd', wait: 'D', timeoutMs: 500, dir: 'x' })
    expect(parseSvc(['-wQ', 'x'])).toContain('-w takes one of')
    expect(parseSvc(['-Tsoon', 'x'])).toContain('-T takes milliseconds')
    expect(parseSvc(['-n', 'x'])).toBe('unknown option -n')
  })
  test('waits for a new process, not for the one there was', () => {
    const before = seen(UP).state
    expect(isOver('u', before, before)).toBe(true)
    expect(isOver('r', before, before)).toBe(false)
    expect(isOver('r', before, seen(changed({ pid: 7 })).state)).toBe(true)
    expect(isOver('R', before, seen(changed({ pid: 7 })).state)).toBe(false)
    expect(isOver('d', before, seen(changed({ pid: 9, flags: 2 })).state)).toBe(true)
    expect(isOver('D', before, seen(changed({ pid: 9, flags: 2 })).state)).toBe(false)
  })
})
