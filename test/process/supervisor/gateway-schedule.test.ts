// gateway.schedule, on real processes: the same rules as for a service with a schedule.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SlotStatus } from '../../../src/protocol/control.ts'
import { hermes as cli } from '../../support/cli.ts'
import { gatewayThat, logLines, type RunningHermes, startHermes, type TestProfile } from '../../support/hermes.ts'
import { waitFor } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
const EACH_SECOND = '* * * * * *'
const profiles: readonly TestProfile[] = [
  { name: 'ticks', gateway: { command: sh('echo tick'), schedule: EACH_SECOND } },
  { name: 'slow', gateway: { command: sh('echo slow; sleep 2.5'), schedule: EACH_SECOND } },
  { name: 'off', desired: 'stopped', gateway: { command: sh('echo tick'), schedule: EACH_SECOND } },
  { name: 'nightly', gateway: { command: sh('echo night'), schedule: '0 3 1 1 *' } },
  { name: 'lacks', gateway: { command: sh('echo lacks'), schedule: EACH_SECOND, depends_on: ['gateway-off'] } },
]

let hermes: RunningHermes
beforeAll(async () => {
  hermes = await startHermes({ profiles })
})
afterAll(() => hermes[Symbol.asyncDispose]())

const slot = (name: string, is: (slot: SlotStatus) => boolean): Promise<SlotStatus> => gatewayThat(hermes, name, is)
const say = (op: 'start' | 'stop' | 'restart', name: string) =>
  hermes.control((client) => client.request(op, { slot: `gateway-${name}`, wait: true, timeoutMs: 20_000 }))
const isOn = ({ wanted, nextStartAt }: SlotStatus): boolean => wanted === 'up' && nextStartAt !== undefined
const saw = (text: string) => waitFor(text, () => hermes.stderr().includes(text), { deadlineMs: 60_000 })
const runs = (name: string, count: number) =>
  waitFor(`${count} runs of ${name}`, () => logLines(hermes.home, name).length >= count, { deadlineMs: 60_000 })

test('a gateway with a schedule runs at its times, and its status says when next', async () => {
  await slot('ticks', isOn)
  await runs('ticks', 3)
  const { lastDeath, restarts } = await slot('ticks', isOn)
  expect([lastDeath, restarts]).toEqual([undefined, 0])
})

test('between two runs its status and health checks are content', async () => {
  await slot('nightly', isOn)
  expect(await cli(['-p', 'nightly', 'gateway', 'status'], hermes)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/state +down, scheduled\n(.*\n)+ +next start in /),
  })
  expect(await cli(['healthcheck', '--ready', 'nightly'], hermes)).toMatchObject({ code: 0 })
})

test('a run that is due while the last one goes on, or while something is missing, is skipped', async () => {
  await saw('gateway-slow: its last run has not ended; this one is skipped')
  await saw('gateway-lacks: gateway-off is not up; this run is skipped')
})

test('a stop ends the schedule, a start begins it, and a restart runs it now', async () => {
  expect(await slot('off', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
  await say('stop', 'ticks')
  expect((await slot('ticks', ({ state }) => state === 'down')).nextStartAt).toBeUndefined()
  const before = logLines(hermes.home, 'ticks').length
  await say('start', 'ticks')
  await runs('ticks', before + 1)
  await slot('nightly', isOn)
  await say('restart', 'nightly')
  await runs('nightly', 1)
  await slot('nightly', isOn)
})

test('the next supervisor goes on with the schedules that are on, and only with those', async () => {
  await say('stop', 'slow')
  const supervisor = await hermes.supervisorPid()
  process.kill(supervisor, 'SIGKILL')
  await waitFor('another supervisor', async () => (await hermes.supervisorPid()) !== supervisor)
  await runs('ticks', logLines(hermes.home, 'ticks').length + 2)
  await slot('nightly', isOn)
  for (const name of ['slow', 'off']) expect(await slot(name, () => true)).toMatchObject({ wanted: 'down' })
})
