import { describe, expect, test } from 'vitest'
import { encodeStatus, type ServiceStatus, tallyDeath } from '../../src/protocol/s6.ts'

// The examples were written by s6-supervise 2.11.3.2 and dumped with hexdump.
const upSinceMs = 1795349580 * 1000
const up: ServiceStatus = {
  pid: 15916,
  finishing: false,
  ready: false,
  wantedUp: true,
  paused: false,
  changedAtMs: upSinceMs,
  readyAtMs: upSinceMs,
}
const down: Partial<ServiceStatus> = { pid: null, ready: true }
const hex = (bytes: Buffer): string => bytes.toString('hex')

describe('supervise/status', () => {
  test('a service that is up and not ready', () => {
    expect(hex(encodeStatus(up))).toBe(
      '400000006b02dc7100000000' + '400000006b02dc7100000000' + '0000000000003e2c' + '0000' + '04',
    )
  })

  test('carries milliseconds, and when it became ready', () => {
    const bytes = encodeStatus({ ...up, ready: true, changedAtMs: upSinceMs + 279.5, readyAtMs: upSinceMs + 1001 })
    expect(bytes.readUInt32BE(8)).toBe(279_500_000)
    expect(hex(bytes.subarray(12, 24))).toBe('400000006b02dc72000f4240')
    expect(bytes[34]).toBe(0x0c)
  })

  test.each<[string, Partial<ServiceStatus>, number, number]>([
    ['down after a TERM it was told', { ...down, wantedUp: false, lastEnding: { signal: 'TERM' } }, 0x000f, 0x08],
    ['down with code 7, will start again', { ...down, lastEnding: { exitCode: 7 } }, 0x0700, 0x0c],
    ['up again, the last death kept', { lastEnding: { exitCode: 7 } }, 0x0700, 0x04],
    ['paused', { paused: true }, 0, 0x05],
    ['its finish script runs', { pid: 0x3f66, finishing: true, lastEnding: { signal: 'KILL' } }, 0x0009, 0x06],
    [
      'its finish script runs, and it stays down',
      { finishing: true, wantedUp: false, lastEnding: { exitCode: 7 } },
      0x0700,
      0x02,
    ],
    ['up, told to go down', { wantedUp: false }, 0, 0x00],
    ['up, ready, told to go down', { wantedUp: false, ready: true }, 0, 0x08],
  ])('%s', (_what, change, wstat, flags) => {
    const bytes = encodeStatus({ ...up, ...change })
    expect([bytes.length, bytes.readUInt16BE(32), bytes[34]]).toEqual([35, wstat, flags])
  })
})

describe('death_tally', () => {
  const at = upSinceMs

  test('a record says when, and code or signal as s6 does', () => {
    const two = tallyDeath(tallyDeath(Buffer.alloc(0), { signal: 'TERM' }, at, 100), { exitCode: 7 }, at, 100)
    expect(hex(two)).toBe('400000006b02dc7100000000' + '8f0f' + '400000006b02dc7100000000' + '0700')
  })

  test('none is kept where none is wanted', () => {
    expect(tallyDeath(Buffer.alloc(28), { exitCode: 1 }, at, 0).length).toBe(0)
  })

  test('the last hundred are kept', () => {
    let tally: Buffer = Buffer.alloc(0)
    for (let code = 0; code < 150; code++) tally = tallyDeath(tally, { exitCode: code }, at, 100)
    expect(tally.length).toBe(100 * 14)
    expect([tally[12], tally[tally.length - 2]]).toEqual([50, 149])
  })

  test('one that was cut short begins anew', () => {
    expect(tallyDeath(Buffer.alloc(20), { exitCode: 1 }, at, 100).length).toBe(14)
  })
})
