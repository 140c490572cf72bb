import { expect, test } from 'vitest'
import { VolumeGate } from '../../../src/init/boot/volume-gate.ts'
import type { TryResult } from '../../../src/volume/lock.ts'
import { waitFor } from '../../support/wait.ts'

function scene(
  first: TryResult,
  options: {
    opened?: boolean
    made?: boolean
    withoutLease?: boolean
    problem?: string
    obstacle?: string
    /** The preparation takes so long. */
    prepared?: Promise<void>
  } = {},
) {
  const told: string[] = []
  const looks: string[] = []
  const said: string[] = []
  const look = async (what: string): Promise<string | undefined> => {
    looks.push(what)
    await options.prepared
    return options.problem
  }
  const gate = new VolumeGate({
    home: '/home',
    lock: {
      take: async () => first,
      opened: options.opened ?? true,
      made: options.made ?? false,
      obstacle: options.obstacle,
    },
    withoutLease: options.withoutLease ?? false,
    look,
    send: (message) => told.push('state' in message ? `lease ${message.state}` : message.type),
    unusable: (why) => told.push(`unusable: ${why}`),
    log: (_, text) => said.push(text),
  })
  return { gate, told, looks, said }
}

test('held: prepared, and begun when the hooks are done', async () => {
  const { gate, told, looks } = scene('held')
  await gate.open()
  expect([told, looks, gate.begun]).toEqual([['lease held'], ['prepare'], false])
  gate.hooksDone()
  expect([told.at(-1), gate.begun]).toEqual(['begin', true])
  gate.hooksDone()
  expect(told).toEqual(['lease held', 'begin'])
})

test('busy: nothing in the volume is touched before it is free', async () => {
  const { gate, told, looks } = scene('busy')
  await gate.open()
  gate.hooksDone()
  expect([told, looks]).toEqual([['lease busy'], []])
  await gate.leaseIs('held')
  expect([told, looks]).toEqual([['lease busy', 'lease held', 'begin'], ['prepare']])
})

test('busy is logged with its reason: another container, or something in the lease’s place', async () => {
  const other = scene('busy')
  await other.gate.open()
  expect(other.said).toEqual(['another container is using /home: the gateways wait here until it stops'])
  const blocked = scene('busy', { obstacle: '/home/run.lease is a directory' })
  await blocked.gate.open()
  expect(blocked.said).toEqual([
    'cannot tell which container uses /home: /home/run.lease is a directory. Remove it; until then the gateways wait here',
  ])
})

test('lost and found again: not begun in between, and begin is sent again', async () => {
  const { gate, told } = scene('held')
  await gate.open()
  gate.hooksDone()
  await gate.leaseIs('busy')
  expect(gate.begun).toBe(false)
  await gate.leaseIs('held')
  expect(gate.begun).toBe(true)
  expect(told).toEqual(['lease held', 'begin', 'lease busy', 'lease held', 'begin'])
})

test('lost while the hooks run: they end, and nothing begins before the volume is found again', async () => {
  const { gate, told } = scene('held')
  await gate.open()
  await gate.leaseIs('busy')
  gate.hooksDone()
  expect([told, gate.begun]).toEqual([['lease held', 'lease busy'], false])
  await gate.leaseIs('held')
  expect([told.slice(2), gate.begun]).toEqual([['lease held', 'begin'], true])
})

test('lost while it is being prepared: the supervisor is not notified that it is held, and does not begin', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { gate, told, looks } = scene('held', { prepared: promise })
  const opened = gate.open()
  await waitFor('it to be prepared', () => looks.includes('prepare'))
  gate.hooksDone()
  await gate.leaseIs('busy')
  resolve()
  await opened
  expect([told, gate.begun]).toEqual([['lease busy'], false])
  await gate.leaseIs('held')
  expect([told, gate.begun]).toEqual([['lease busy', 'lease held', 'begin'], true])
})

test('no locks: a volume the counter has lost again, while it was prepared or the hooks ran, is not begun on', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { gate, told } = scene('unsupported', { prepared: promise })
  await gate.open()
  const taken = gate.leaseCounted('taken')
  await gate.leaseCounted('lost')
  resolve()
  await taken
  gate.hooksDone()
  expect(told).toEqual(['lease unsupported'])
  await gate.leaseCounted('taken')
  expect(told).toEqual(['lease unsupported', 'begin'])
})

test('no locks: the supervisor’s counter decides, each supervisor’s anew', async () => {
  const { gate, told, looks } = scene('unsupported')
  await gate.open()
  gate.hooksDone()
  expect(looks).toEqual([])
  await gate.leaseCounted('taken')
  expect([told, looks, gate.begun]).toEqual([['lease unsupported', 'begin'], ['prepare'], false])
  await gate.leaseCounted('lost')
  await gate.leaseCounted('taken')
  expect([told, looks]).toEqual([['lease unsupported', 'begin', 'begin'], ['prepare']])
})

test('a counter’s report is ignored where there are locks', async () => {
  const { gate, told } = scene('busy')
  await gate.open()
  gate.hooksDone()
  await gate.leaseCounted('taken')
  expect(told).toEqual(['lease busy'])
})

test('no lease file can be opened: the volume is tried, and its problem is the end', async () => {
  const { gate, told, looks } = scene('unsupported', { opened: false, problem: 'read-only' })
  await gate.open()
  gate.hooksDone()
  expect(looks).toEqual(['try'])
  expect(told).toEqual(['unusable: read-only', 'lease unsupported'])
})

test('no locks and a new lease file: the volume is made ready before the supervisor counts, once', async () => {
  const { gate, told, looks } = scene('unsupported', { made: true })
  await gate.open()
  expect([told, looks]).toEqual([['lease unsupported'], ['ready']])
  gate.hooksDone()
  expect(gate.begun).toBe(false)
  await gate.leaseCounted('taken')
  expect([told, looks]).toEqual([['lease unsupported', 'begin'], ['ready']])
})

test('no locks and a free lease that the runtime user cannot write: the volume is made ready for it, once', async () => {
  const { gate, told, looks } = scene('unsupported')
  await gate.open()
  expect([told, looks]).toEqual([['lease unsupported'], []])
  await gate.leaseCounted('unwritable')
  await gate.leaseCounted('unwritable')
  expect(looks).toEqual(['ready'])
  gate.hooksDone()
  await gate.leaseCounted('taken')
  expect(told.at(-1)).toBe('begin')
})

test('an unusable volume is never begun on', async () => {
  const { gate, told } = scene('held', { problem: 'not ours' })
  await gate.open()
  gate.hooksDone()
  expect(told).toEqual(['unusable: not ours', 'lease held'])
})

test('the dashboard takes no lease and begins all the same', async () => {
  const { gate, told } = scene('busy', { withoutLease: true })
  await gate.open()
  gate.hooksDone()
  expect([told, gate.begun]).toEqual([['lease none', 'begin'], true])
})
