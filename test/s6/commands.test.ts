import { expect, describe as group, test } from 'vitest'
import { decodeStatus } from '../../src/protocol/s6.ts'
import { parseSvc } from '../../src/s6/svc.ts'
import { describeDeaths, parseSvdt } from '../../src/s6/svdt.ts'
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
    expect(seen(UP).state.changedAtMs).toBe(SINCE_MS)
  })
  test('reads the longer status of s6 2.13 too, and nothing else', () => {
    const long = `${UP.slice(0, 64)}00000000000024a3${UP.slice(64)}`
    expect(decodeStatus(bytes(long))).toMatchObject({ pid: 15916, wantedUp: true })
    expect(decodeStatus(bytes(UP.slice(2)))).toBeUndefined()
    expect(decodeStatus(bytes(''))).toBeUndefined()
  })
  test.each([
    [UP, true, 'up (pid 15916) 5 seconds'],
    [UP, false, 'up (pid 15916) 5 seconds, normally down'],
    [changed({ pid: 7, flags: 0x05 }), true, 'up (pid 7) 5 seconds, paused'],
    [changed({ pid: 7, flags: 0x0c }), true, 'up (pid 7) 5 seconds, ready 5 seconds'],
    [changed({ pid: 7, flags: 0x00 }), true, 'up (pid 7) 5 seconds, want down'],
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
    expect(parseSvstat(['-o', 'up,ready,', 'x'])).toEqual({ fields: ['up', 'ready'], numeric: false, dir: 'x' })
  })
  test('a clock that was set back never shows a negative time', () => {
    expect(describe(seen(UP, true, SINCE_MS - 60_000), sentence)).toContain('0 seconds')
  })
  test('says what is wrong with its arguments', () => {
    expect(parseSvstat(['-z', 'x'])).toBe('unknown option -z')
    expect(parseSvstat(['-o', 'nonsense', 'x'])).toContain('unknown field "nonsense"')
    expect(parseSvstat(['-o', 'up,,pid', 'x'])).toContain('unknown field ""')
    expect(parseSvstat(['-o'])).toBe('-o takes a value')
    expect(parseSvstat([])).toBe('expected a slot directory')
  })
})

group('s6-svc', () => {
  test('keeps the order of its commands, which is their order on the wire', () => {
    expect(parseSvc(['-du', 'x'])).toMatchObject({ commands: 'du', wait: undefined, timeoutMs: 0, dir: 'x' })
    expect(parseSvc(['-wD', '-T', '500', '-d', 'x'])).toMatchObject({ commands: 'd', wait: 'D', timeoutMs: 500 })
    expect(parseSvc(['-wQ', 'x'])).toContain('-w takes one of')
    expect(parseSvc(['-Tsoon', 'x'])).toContain('-T takes milliseconds')
    expect(parseSvc(['-n', 'x'])).toBe('unknown option -n')
    expect(parseSvc(['--', '-u'])).toMatchObject({ commands: '', dir: '-u' })
    expect(parseSvc(['-u', 'x', 'y'])).toMatchObject({ dir: 'x', extra: true })
  })
})

group('s6-svdt', () => {
  const tally = bytes('400000006b02dc71000000008f0f' + '400000006b02dc72000000000700' + '400000006b02dc7300000000a525')
  test('lists deaths, the oldest first', () => {
    expect(describeDeaths(tally, { numeric: false, last: undefined })).toBe(
      '@400000006b02dc7100000000 signal SIGTERM\n@400000006b02dc7200000000 exitcode 7\n@400000006b02dc7300000000 signal SIG???\n',
    )
    expect(describeDeaths(tally.subarray(0, 30), { numeric: true, last: 1 })).toBe(
      '@400000006b02dc7200000000 exitcode 7\n',
    )
    expect(describeDeaths(tally, { numeric: true, last: 0 })).toBe('')
  })
  test('reads its options as s6 does', () => {
    expect(parseSvdt(['-s', '-n', '2', 'x'])).toEqual({ numeric: true, last: 2, dir: 'x' })
    expect(parseSvdt(['-n', 'x', 'y'])).toContain('-n takes a whole number')
  })
})
