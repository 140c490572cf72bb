import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Op, Operations } from '../../../src/protocol/control.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { type Fault, makeFaultyInstall } from '../../support/supervisor/faulty-install.ts'
import { waitFor } from '../../support/wait.ts'

const SLOT = 'gateway-victim'
let install = ''

beforeAll(() => {
  install = makeFaultyInstall()
})
afterAll(() => rmSync(install, { recursive: true, force: true }))

/** Notes its start in a file of its own: a line may be lost with the supervisor. Announces that it is ready; lives. */
const victim = {
  name: 'victim',
  gateway: {
    command: ['sh', '-c', 'echo $$ >>starts; echo >&3; exec sleep 100000'],
    ready: { fd: 3 },
    restart_delay: { first: '1ms', max: '10ms' },
  },
}

/** Starts of a gateway that has been up since: it notes each before it is ready. */
const starts = (hermes: RunningHermes, name = 'victim'): number =>
  readFileSync(join(hermes.home, 'profiles', name, 'starts'), 'utf8')
    .trim()
    .split('\n').length

/** The answer may die with the supervisor; what counts is what becomes of the slot. */
const ask = <O extends Exclude<Op, 'events' | 'logs'>>(
  hermes: RunningHermes,
  op: O,
  body: Operations[O]['request'],
): Promise<unknown> => hermes.control((client) => client.request(op, body)).catch(() => undefined)

const setFault = (hermes: RunningHermes, fault: Fault): void =>
  writeFileSync(join(hermes.home, 'fault'), JSON.stringify(fault))

/** The supervisor has died of the fault and another one answers. */
async function struckBy(hermes: RunningHermes, pid: number): Promise<void> {
  await waitFor(
    'the next supervisor to answer',
    async () => {
      if ((await hermes.supervisorPid()) !== pid) return true
      // Not struck yet: what the slot is at says why.
      throw new Error(`${JSON.stringify(await hermes.slot(SLOT))} ${hermes.stderr()}`)
    },
    { deadlineMs: 30_000 },
  )
}

const isUp = (hermes: RunningHermes, name = SLOT) =>
  waitFor(
    `${name} to be up`,
    async () => {
      const slot = await hermes.slot(name)
      if (slot?.state === 'up') return slot
      throw new Error(`${JSON.stringify(slot)} ${hermes.stderr()}`)
    },
    { deadlineMs: 30_000 },
  )

/**
 * Everything that starts by itself is up, and has reported it: a fault set from now on affects only what the test
 * does.
 */
async function begin(desired: 'running' | 'stopped'): Promise<RunningHermes> {
  const hermes = await startHermes({ install, profiles: [{ ...victim, desired }] })
  await isUp(hermes, 'gateway-default')
  if (desired === 'running') await isUp(hermes)
  return hermes
}

const both = (fault: Omit<Fault, 'when'>): Fault[] => [
  { ...fault, when: 'before' } as Fault,
  { ...fault, when: 'after' } as Fault,
]

test.each([
  ...both({ direction: 'out', type: 'spawn' }),
  ...both({ direction: 'in', type: 'spawned' }),
  ...both({ direction: 'in', type: 'ready' }),
])('a start cut off $when $type ($direction) happens once', async (fault) => {
  await using hermes = await begin('stopped')
  const pid = await hermes.supervisorPid()
  setFault(hermes, fault)
  await ask(hermes, 'start', { slot: SLOT })
  await struckBy(hermes, pid)
  const slot = await isUp(hermes)
  expect(slot).toMatchObject({ wanted: 'up', restarts: 0 })
  expect(slot.lastDeath).toBeUndefined()
  expect(starts(hermes)).toBe(1)
})

test.each([...both({ direction: 'in', type: 'exit' }), ...both({ direction: 'out', type: 'ack' })])(
  'a death reported $when $type ($direction) is acted on once',
  async (fault) => {
    await using hermes = await begin('running')
    const first = await isUp(hermes)
    const pid = await hermes.supervisorPid()
    setFault(hermes, fault)
    process.kill(first.pid as number, 'SIGKILL')
    await struckBy(hermes, pid)
    const second = await waitFor('a new process', async () => {
      const slot = await hermes.slot(SLOT)
      return slot?.state === 'up' && slot.pid !== first.pid && slot
    })
    expect(second.restarts).toBe(1)
    const { deaths } = await hermes.control((client) => client.request('deaths', { slot: SLOT }))
    expect(deaths).toHaveLength(1)
    expect(starts(hermes)).toBe(2)
  },
)

test.each([...both({ direction: 'out', type: 'signal' }), ...both({ direction: 'in', type: 'exit' })])(
  'a stop cut off $when $type ($direction) is carried out',
  async (fault) => {
    await using hermes = await begin('running')
    const up = await isUp(hermes)
    const pid = await hermes.supervisorPid()
    setFault(hermes, fault)
    await ask(hermes, 'stop', { slot: SLOT })
    await struckBy(hermes, pid)
    const down = await waitFor('the slot to be down', async () => {
      const slot = await hermes.slot(SLOT)
      return slot?.state === 'down' && slot
    })
    expect(down).toMatchObject({ wanted: 'down', restarts: 0 })
    expect(() => process.kill(up.pid as number, 0)).toThrow(/ESRCH/)
    expect(starts(hermes)).toBe(1)
  },
)

test.each([...both({ direction: 'out', type: 'hello' }), ...both({ direction: 'in', type: 'welcome' })])(
  'a supervisor that dies $when $type ($direction) is followed by one that adopts everything',
  async (fault) => {
    await using hermes = await begin('running')
    const up = await isUp(hermes)
    const pid = await hermes.supervisorPid()
    setFault(hermes, fault)
    process.kill(pid, 'SIGKILL')
    await struckBy(hermes, pid)
    expect(await isUp(hermes)).toMatchObject({ pid: up.pid, restarts: 0 })
    expect(starts(hermes)).toBe(1)
  },
)

test.each(both({ direction: 'out', type: 'keep', holding: '".waiting"' }))(
  'starts that have waited for another gateway, cut off $when $type ($direction), happen once',
  async (fault) => {
    const waiting = ['first', 'second', 'third'].map((name) => ({ ...victim, name }))
    const gateway = { command: ['sh', '-c', 'until [ -e go ]; do sleep 0.05; done; echo >&3; exec sleep 100000'] }
    await using hermes = await startHermes({
      install,
      profiles: [
        { name: 'base', gateway: { ...gateway, ready: { fd: 3 }, start_timeout: 0 } },
        ...waiting.map((one) => ({ ...one, gateway: { ...one.gateway, depends_on: ['gateway-base'] } })),
      ],
    })
    await isUp(hermes, 'gateway-default')
    for (const { name } of waiting)
      await waitFor(`${name} to wait`, async () => (await hermes.slot(`gateway-${name}`))?.wanted === 'up')
    const pid = await hermes.supervisorPid()
    setFault(hermes, fault)
    writeFileSync(join(hermes.home, 'profiles', 'base', 'go'), '')
    await struckBy(hermes, pid)
    for (const { name } of waiting) {
      expect(await isUp(hermes, `gateway-${name}`)).toMatchObject({ wanted: 'up', restarts: 0 })
      expect(starts(hermes, name)).toBe(1)
    }
  },
)

test.each(both({ direction: 'out', type: 'forget' }))(
  'a removal cut off $when $type ($direction) is finished',
  async (fault) => {
    await using hermes = await begin('running')
    const up = await isUp(hermes)
    const pid = await hermes.supervisorPid()
    setFault(hermes, fault)
    rmSync(join(hermes.home, 'profiles', 'victim'), { recursive: true })
    await struckBy(hermes, pid)
    await waitFor('the slot to be gone', async () => (await hermes.slot(SLOT)) === undefined, { deadlineMs: 30_000 })
    expect(() => process.kill(up.pid as number, 0)).toThrow(/ESRCH/)
  },
)

test.each([...both({ direction: 'in', type: 'stop' }), ...both({ direction: 'out', type: 'drained' })])(
  'a stop of everything goes on when the supervisor dies $when $type ($direction)',
  async (fault) => {
    await using hermes = await begin('running')
    const up = await isUp(hermes)
    setFault(hermes, fault)
    expect(await hermes.stop()).toBe(0)
    expect(() => process.kill(up.pid as number, 0)).toThrow(/ESRCH/)
  },
)
