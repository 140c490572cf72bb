// gateway.depends_on between gateways, on real processes. Dependencies on services: test/process/services/yaml.test.ts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SlotStatus } from '../../../src/protocol/control.ts'
import { gatewayThat, type RunningHermes, startHermes, type TestProfile } from '../../support/hermes.ts'
import { waitFor } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
const SLEEPS = { command: sh('exec sleep 100000'), ready_after: '20ms' }
const until = (file: string, then: string): readonly string[] =>
  sh(`while [ ! -e ${file} ]; do sleep 0.05; done; ${then}`)

const profiles: readonly TestProfile[] = [
  {
    name: 'base',
    gateway: { command: until('go', 'echo at work; exec sleep 100000'), ready: { log: 'at work' }, start_timeout: 0 },
  },
  { name: 'after', gateway: { ...SLEEPS, depends_on: ['gateway-base'] } },
  { name: 'last', gateway: { ...SLEEPS, depends_on: ['gateway-after', 'gateway-base'] } },
  { name: 'beside', gateway: { ...SLEEPS, depends_on: { 'gateway-base': 'started' } } },
  { name: 'once', gateway: { command: until('end', 'exit 0'), ready_after: '20ms', restart: 'on-failure' } },
  { name: 'then', gateway: { ...SLEEPS, depends_on: { 'gateway-once': 'completed' } } },
  { name: 'left', gateway: { ...SLEEPS, depends_on: ['gateway-right'] } },
  { name: 'right', gateway: { ...SLEEPS, depends_on: ['gateway-left'] } },
  { name: 'lonely', gateway: { ...SLEEPS, depends_on: ['nothing'] } },
]

let hermes: RunningHermes
beforeAll(async () => {
  hermes = await startHermes({ profiles })
})
afterAll(() => hermes[Symbol.asyncDispose]())

const slot = (name: string, is: (slot: SlotStatus) => boolean): Promise<SlotStatus> => gatewayThat(hermes, name, is)
const isUp = ({ state }: SlotStatus): boolean => state === 'up'
const reason = async (name: string): Promise<string | undefined> => (await slot(name, () => true)).reason
const touch = (name: string, file: string): void => writeFileSync(join(hermes.home, 'profiles', name, file), '')
const say = (op: 'start' | 'stop', name: string, timeoutMs: number) =>
  hermes.control((client) =>
    client.request(op, { slot: `gateway-${name}`, wait: true, timeoutMs }, { timeoutMs: 30_000 }),
  )

test('at boot a gateway waits until another one is ready, and its status says for which', async () => {
  await slot('base', ({ state }) => state === 'starting')
  expect(await slot('after', () => true)).toMatchObject({
    state: 'down',
    wanted: 'up',
    reason: 'waits for gateway-base',
  })
  expect(await reason('last')).toBe('waits for gateway-after, gateway-base')
  expect(await reason('then')).toBe('waits for gateway-once (completed)')
})

test('with "started" a process is enough', () => slot('beside', isUp))

test('two gateways that depend on each other do not wait for each other', async () => {
  await slot('left', isUp)
  await slot('right', isUp)
})

test('a dependency that does not exist is named; a stop ends the wait', async () => {
  expect(await reason('lonely')).toBe('waits for nothing, which does not exist')
  await say('stop', 'lonely', 20_000)
  expect(await slot('lonely', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
})

test('a command waits, too, and says for what', async () => {
  await expect(say('start', 'after', 100)).rejects.toThrow(
    'gateway-after is not up after 0.1 s: it waits for gateway-base',
  )
})

test('the next supervisor goes on waiting, and everything starts in the order of its dependencies', async () => {
  const supervisor = await hermes.supervisorPid()
  process.kill(supervisor, 'SIGKILL')
  await waitFor('another supervisor', async () => (await hermes.supervisorPid()) !== supervisor)
  expect(await slot('after', ({ wanted }) => wanted === 'up')).toMatchObject({ reason: 'waits for gateway-base' })
  expect(await slot('lonely', () => true)).toMatchObject({ wanted: 'down' })
  touch('base', 'go')
  const [base, after, last] = await Promise.all(['base', 'after', 'last'].map((name) => slot(name, isUp)))
  const at = [base, after, last].map((one) => Date.parse(one?.since ?? ''))
  expect(at).toEqual(at.toSorted((a, b) => a - b))
})

test('with "completed" the other one has to end with 0 by itself', async () => {
  expect(await slot('then', () => true)).toMatchObject({ state: 'down', wanted: 'up' })
  touch('once', 'end')
  await slot('then', isUp)
  expect(await slot('once', () => true)).toMatchObject({ state: 'down' })
})
