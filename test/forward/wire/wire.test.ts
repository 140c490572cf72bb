import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Batch } from '../../../src/forward/batch.ts'
import { nextNs } from '../../../src/forward/batch.ts'
import { lokiAddress, lokiBody } from '../../../src/forward/wire/loki.ts'
import { otlpAddress, otlpBody } from '../../../src/forward/wire/otlp.ts'
import { datagrams, octetCounted, syslogMessages } from '../../../src/forward/wire/syslog.ts'

const AT = Date.UTC(2026, 10, 22, 12, 15, 18, 810)
const line = (text: string, more = 0n) => ({ atMs: AT, ns: BigInt(AT) * 1_000_000n + more, text })
const batch: Batch = {
  node: 'node 1',
  slots: [
    { slot: 'gateway-coder', profile: 'coder', lines: [line('ERROR: größer'), line('', 1n)] },
    { slot: 'dispatcher', profile: undefined, lines: [line('plain')] },
  ],
}

test('a line of syslog has the priority of its level, its own time, the node and the slot (RFC 5424)', () => {
  expect(syslogMessages(batch, 'daemon').map(String)).toEqual([
    '<27>1 2026-11-22T12:15:18.810Z node1 gateway-coder - - - ERROR: größer',
    '<30>1 2026-11-22T12:15:18.810Z node1 gateway-coder - - -',
    '<30>1 2026-11-22T12:15:18.810Z node1 dispatcher - - - plain',
  ])
  const [first] = syslogMessages(
    { node: '\u00e4', slots: [{ ...batch.slots[0], slot: 'x'.repeat(60) } as never] },
    'local7',
  )
  expect(String(first)).toBe(`<187>1 2026-11-22T12:15:18.810Z - ${'x'.repeat(48)} - - - ERROR: größer`)
})

test('frames with counted octets give back every message, whatever is in it (RFC 6587)', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc
          .array(fc.constantFrom('7 ', '\n', '\0', 'ä', '😀', ' ', 'x'), { minLength: 1 })
          .map((parts) => parts.join('')),
      ),
      (texts) => {
        const slots = [{ slot: 'a', profile: undefined, lines: texts.map((text) => line(text)) }]
        const messages = syslogMessages({ node: 'n', slots }, 'user')
        expect(framesOf(octetCounted(messages))).toEqual(messages.map(String))
      },
    ),
  )
})

function framesOf(bytes: Buffer): readonly string[] {
  const frames: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at)
    const end = space + 1 + Number(bytes.toString('latin1', at, space))
    frames.push(bytes.toString('utf8', space + 1, end))
    at = end
  }
  return frames
}

test('a datagram is cut to 8 KiB between two characters', () => {
  const [short, long] = datagrams([Buffer.from('short'), Buffer.from('ä'.repeat(8191))])
  expect(String(short)).toBe('short')
  expect(String(long)).toBe('ä'.repeat(4096))
  const [odd] = datagrams([Buffer.from(`x${'ä'.repeat(8191)}`)])
  expect(String(odd)).toBe(`x${'ä'.repeat(4095)}`)
})

test('Loki gets a stream for each slot, with times in ns as text', () => {
  expect(JSON.parse(lokiBody(batch, { env: 'prod' }))).toEqual({
    streams: [
      {
        stream: { env: 'prod', job: 'hermes', slot: 'gateway-coder', profile: 'coder', node: 'node 1' },
        values: [
          ['1795349718810000000', 'ERROR: größer'],
          ['1795349718810000001', ''],
        ],
      },
      {
        stream: { env: 'prod', job: 'hermes', slot: 'dispatcher', node: 'node 1' },
        values: [['1795349718810000000', 'plain']],
      },
    ],
  })
})

test('OTLP gets a resource for each slot, and the severity of each line that names one', () => {
  const { resourceLogs } = JSON.parse(otlpBody(batch, {}))
  expect(resourceLogs).toHaveLength(2)
  expect(resourceLogs[0].resource.attributes).toEqual(
    Object.entries({
      'service.name': 'hermes',
      'service.instance.id': 'gateway-coder@node 1',
      'host.name': 'node 1',
      'hermes.slot': 'gateway-coder',
      'hermes.profile': 'coder',
    }).map(([key, stringValue]) => ({ key, value: { stringValue } })),
  )
  expect(resourceLogs[0].scopeLogs[0].logRecords).toEqual([
    {
      timeUnixNano: '1795349718810000000',
      severityNumber: 17,
      severityText: 'ERROR',
      body: { stringValue: 'ERROR: größer' },
    },
    { timeUnixNano: '1795349718810000001', body: { stringValue: '' } },
  ])
})

test('an address is that of the server, or the whole one', () => {
  expect(lokiAddress('http://loki:3100')).toBe('http://loki:3100/loki/api/v1/push')
  expect(lokiAddress('http://loki:3100/loki/api/v1/push')).toBe('http://loki:3100/loki/api/v1/push')
  expect(lokiAddress('https://x/tenant/')).toBe('https://x/tenant/loki/api/v1/push')
  expect(otlpAddress('http://collector:4318')).toBe('http://collector:4318/v1/logs')
})

test('instants of lines only go up, also within a millisecond and when the clock is put back a little', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 1000 })), (steps) => {
      let ns = 0n
      let atMs = AT
      for (const step of steps) {
        atMs += step
        const next = nextNs(ns, atMs)
        expect(next).toBeGreaterThan(ns)
        ns = next
      }
    }),
  )
  // A clock that was a day ahead: its lines are the past of nothing.
  expect(nextNs(BigInt(AT + 86_400_000) * 1_000_000n, AT)).toBe(BigInt(AT) * 1_000_000n)
})
