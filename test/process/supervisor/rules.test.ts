// Each rule of docs/slots.md, seen once on real processes. One Hermes for all of them: slots do not know each other.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Death, SlotStatus } from '../../../src/protocol/control.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { logLines, type RunningHermes, startHermes, type TestProfile } from '../../support/hermes.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { processesOf } from '../../support/supervisor/slot-processes.ts'
import { waitFor } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
/** Ends with what its file `code` says, once there is one; says `ran` first. */
const endsAsTold = sh('echo ran; while [ ! -s code ]; do sleep 0.01; done; read -r code <code; rm code; exit "$code"')
const quick = { first: '1ms', max: '1ms' }
/** Up when its trap is set. */
const GOES_ON = 'echo trap is set; while :; do sleep 0.02; done'
const TRAPS = { ready: { log: '^trap is set$' } }
const home = quickDir('hermes-rules-')
const MAY_END = join(home, 'may-end')

const profiles: readonly TestProfile[] = [
  { name: 'backs-off', gateway: { command: sh('exit 1'), restart_delay: { first: '200ms', max: '400ms' } } },
  { name: 'told', gateway: { command: endsAsTold, ready_after: '20ms', restart_delay: quick } },
  {
    name: 'told-early',
    gateway: { command: endsAsTold, ready_after: '1h', restart_delay: { first: '1h', max: '1h' } },
  },
  {
    name: 'on-failure',
    gateway: { command: endsAsTold, ready_after: '20ms', restart: 'on-failure', restart_delay: quick },
  },
  {
    name: 'gives-up',
    gateway: { command: sh('exit 1'), restart_delay: quick, give_up_after: { deaths: 4, within: '1h' } },
  },
  {
    name: 'never-ready',
    desired: 'stopped',
    gateway: {
      command: sh('trap "" TERM; sleep 1000 & echo $!; wait; wait'),
      ready: { fd: 3 },
      // Enough to set the trap on a busy machine.
      start_timeout: '4s',
      stop_timeout: '200ms',
      restart_delay: { first: '1h', max: '1h' },
    },
  },
  {
    name: 'ignores-term',
    gateway: {
      command: sh('trap "" TERM; (trap "" TERM; echo child; sleep 1000; sleep 1000) & wait; wait'),
      ready_after: '50ms',
      stop_timeout: '300ms',
    },
  },
  {
    name: 'slow-to-stop',
    gateway: { command: sh(`trap "sleep 0.3; exit 0" TERM; ${GOES_ON}`), ...TRAPS },
  },
  { name: 'leaves-child', gateway: { command: sh('sleep 1000 & exec sleep 1000'), ready_after: '20ms' } },
  {
    name: 'says-ready',
    gateway: { command: sh('sleep 0.1; echo "listening on 7"; exec sleep 1000'), ready: { log: 'listening on \\d+' } },
  },
  { name: 'fd-ready', gateway: { command: sh('sleep 0.1; echo >&4; exec sleep 1000'), ready: { fd: 4 } } },
  { name: 'missing', gateway: { command: ['no-such-program'], restart_delay: { first: '1h', max: '1h' } } },
  {
    name: 'dos',
    desired: 'stopped',
    gateway: { command: ['./agent.sh'], restart_delay: { first: '1h', max: '1h' } },
  },
  { name: 'reads-env', gateway: { command: sh('echo "WORD=$WORD"; exec sleep 1000'), ready_after: '20ms' } },
  { name: 'patient', gateway: { command: ['sleep', '1000'], ready_after: '5ms', stop_timeout: '366d' } },
  {
    name: 'comes-back',
    gateway: {
      command: sh(`trap "while [ ! -e ${MAY_END} ]; do sleep 0.02; done; exit 0" TERM; ${GOES_ON}`),
      stop_timeout: '10m',
      ...TRAPS,
    },
  },
  { name: 'leaves', gateway: { command: ['sleep', '1000'], ready_after: '5ms' } },
  { name: 'storm', gateway: { command: ['sleep', '1000'], ready_after: '5ms' } },
]

let hermes: RunningHermes
beforeAll(async () => {
  hermes = await startHermes({ home, profiles })
})
afterAll(() => hermes[Symbol.asyncDispose]())

const register = async (profile: string): Promise<SlotStatus> =>
  (await hermes.control((client) => client.request('register', { slot: key(profile) }))).slot
const unregister = (profile: string) => hermes.control((client) => client.request('unregister', { slot: key(profile) }))
const key = (profile: string): string => `gateway-${profile}`
const status = async (profile: string): Promise<SlotStatus> => {
  const slot = await hermes.slot(key(profile))
  if (slot === undefined) throw new Error(`no slot of ${profile}`)
  return slot
}
const reach = (profile: string, state: SlotStatus['state']): Promise<SlotStatus> =>
  waitFor(`${profile} to be ${state}`, async () => {
    const slot = await status(profile)
    return slot.state === state && slot
  })
const deaths = async (profile: string): Promise<readonly Death[]> =>
  (await hermes.control((client) => client.request('deaths', { slot: key(profile) }))).deaths
const say = (op: 'start' | 'stop' | 'restart', profile: string, wait = true) =>
  hermes.control((client) => client.request(op, { slot: key(profile), wait, timeoutMs: 20_000 }, { timeoutMs: 30_000 }))
const dir = (profile: string): string => join(hermes.home, 'profiles', profile)
/** The process of `told` and its like ends with this code. */
const tell = (profile: string, code: number): void => writeFileSync(join(dir(profile), 'code'), `${code}\n`)
const gatewayState = (profile: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(dir(profile), 'gateway_state.json'), 'utf8')) as Record<string, unknown>
const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/exe`) ||
  (existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '))

test('the delays double up to the maximum and lose at most a tenth', async () => {
  const seen = await waitFor('four deaths', async () => {
    const all = await deaths('backs-off')
    return all.length >= 4 && all.slice(0, 4)
  })
  const at = seen.map((death) => Date.parse(death.at))
  const gaps = at.slice(1).map((end, i) => end - (at[i] as number))
  // No less than the rule; more only by what a start costs on a busy machine.
  for (const [i, least] of [180, 360, 360].entries()) expect(gaps[i]).toBeGreaterThanOrEqual(least - 2)
  expect(seen.every((death) => 'exitCode' in death && death.exitCode === 1 && death.upMs === undefined)).toBe(true)
  expect(gatewayState('backs-off')).toMatchObject({ clean: false, restarts: expect.any(Number) })
})

test('an exit 0, an exit 1 and a signal after up are deaths that are answered by a start', async () => {
  let before = await reach('told', 'up')
  for (const [code, expected] of [
    [0, { exitCode: 0 }],
    [1, { exitCode: 1 }],
    [null, { signal: 'KILL' }],
  ] as const) {
    if (code === null) process.kill(before.pid as number, 'SIGKILL')
    else tell('told', code)
    const old = before
    before = await waitFor('the next process', async () => {
      const slot = await status('told')
      return slot.state === 'up' && slot.pid !== old.pid && slot
    })
    expect(before.restarts).toBe(old.restarts + 1)
    expect(before.lastDeath).toMatchObject({ ...expected, upMs: expect.any(Number) })
  }
  expect(
    await waitFor(
      'gateway_state.json to follow',
      () =>
        gatewayState('told').pid === before.pid &&
        gatewayState('told').gateway_state === 'running' &&
        gatewayState('told'),
    ),
  ).toMatchObject({
    restarts: before.restarts,
    clean: false,
  })
})

test('75 after up is a start at once and no death; before up it is a death', async () => {
  const before = await reach('told', 'up')
  const known = await deaths('told')
  tell('told', 75)
  await waitFor('the next process', async () => {
    const slot = await status('told')
    return slot.state === 'up' && slot.pid !== before.pid
  })
  expect(await deaths('told')).toEqual(known)

  await waitFor('its process', async () => (await status('told-early')).pid)
  tell('told-early', 75)
  expect(await reach('told-early', 'backoff')).toMatchObject({
    lastDeath: { exitCode: 75 },
    reason: 'exited with code 75',
    nextStartAt: expect.any(String),
  })
})

test.each([78, 125])('%i parks the slot, and only a start un-parks it', async (code) => {
  await say('start', 'told')
  tell('told', code)
  const parked = await reach('told', 'parked')
  expect(parked).toMatchObject({ wanted: 'up', reason: expect.stringContaining(`code ${code}`) })
  expect(await waitFor('the state file', () => gatewayState('told').gateway_state === 'startup_failed')).toBe(true)
  await hermes.control((client) => client.request('reconcile', {}))
  expect((await status('told')).state).toBe('parked')
  expect((await say('start', 'told')).slot.state).toBe('up')
})

test('register answers with the slot of a profile that was made a moment ago', async () => {
  mkdirSync(dir('brand-new'))
  expect(await register('brand-new')).toMatchObject({ slot: key('brand-new'), state: 'down', wanted: 'down' })
  await expect(register('not-made')).rejects.toMatchObject({ code: 'NO_SUCH_SLOT' })
})

test('register waits for the end of an earlier slot of that name, and answers with the new one', async () => {
  const { pid } = await reach('comes-back', 'up')
  rmSync(dir('comes-back'), { recursive: true })
  await reach('comes-back', 'stopping')
  mkdirSync(dir('comes-back'))
  const registered = register('comes-back')
  writeFileSync(MAY_END, '')
  const slot = await registered
  expect(slot).toMatchObject({ state: 'down', wanted: 'down', restarts: 0 })
  expect([slot.pid, alive(pid as number)]).toEqual([undefined, false])
})

test('unregister answers when the slot of a removed profile is gone, and its process', async () => {
  await expect(unregister('leaves')).rejects.toMatchObject({ code: 'REFUSED' })
  const { pid } = await reach('leaves', 'up')
  rmSync(dir('leaves'), { recursive: true })
  expect(await unregister('leaves')).toEqual({})
  expect([await hermes.slot(key('leaves')), alive(pid as number)]).toEqual([undefined, false])
  expect(await unregister('leaves')).toEqual({})
})

test('on-failure: 1 is answered by a start, 0 is the end', async () => {
  const before = await reach('on-failure', 'up')
  tell('on-failure', 1)
  await waitFor('the next process', async () => {
    const slot = await status('on-failure')
    return slot.state === 'up' && slot.pid !== before.pid
  })
  tell('on-failure', 0)
  expect(await reach('on-failure', 'down')).toMatchObject({
    wanted: 'down',
    reason: 'exited with code 0; restart is on-failure',
  })
})

test('on-failure: a real-time signal, of which Node says code 0, is answered by a start', async () => {
  await say('start', 'on-failure')
  const before = await reach('on-failure', 'up')
  process.kill(before.pid as number, 40)
  const after = await waitFor('the next process', async () => {
    const slot = await status('on-failure')
    return slot.state === 'up' && slot.pid !== before.pid && slot
  })
  expect(after.lastDeath).toMatchObject({ signal: 'RTMIN+6' })
})

test('the longest times that the settings take, init takes', async () => {
  expect(await reach('patient', 'up')).toMatchObject({ wanted: 'up' })
})

test('give_up_after parks with the number of deaths', async () => {
  expect(await reach('gives-up', 'parked')).toMatchObject({
    reason: expect.stringMatching(/^It crashed 4 times in 1 hour \(last /),
  })
  expect((await hermes.status()).warnings).toContainEqual(expect.stringContaining('gateway-gives-up is parked'))
  await expect(say('start', 'gives-up')).rejects.toThrow(HermesError)
})

test('start timeout: TERM, then KILL to the whole group, then a death with that reason', async () => {
  const started = await say('start', 'never-ready', false)
  expect(started.slot).toMatchObject({ state: 'starting', wanted: 'up' })
  const slot = await reach('never-ready', 'backoff')
  expect(slot).toMatchObject({
    reason: 'It did not become ready within 4 s (gateway.start_timeout) and was stopped',
    lastDeath: { signal: 'KILL' },
  })
  expect(slot.lastDeath?.upMs).toBeUndefined()
  await waitFor('its grandchild to be gone too', () => processesOf(hermes.runDir, key('never-ready')).length === 0)
})

test('stop timeout: KILL reaches the whole group, grandchildren that ignore TERM too', async () => {
  await reach('ignores-term', 'up')
  await waitFor('its child to be deaf, too', () => logLines(hermes.home, 'ignores-term').length > 0)
  expect((await say('stop', 'ignores-term')).slot).toMatchObject({ state: 'down', wanted: 'down' })
  await waitFor('every process of it to be gone', () => processesOf(hermes.runDir, key('ignores-term')).length === 0)
  expect(readFileSync(join(dir('ignores-term'), 'desired_state'), 'utf8')).toBe('stopped\n')
  expect(hermes.stderr()).toMatch(
    /gateway-ignores-term \(pid \d+\) did not obey SIGTERM within 0\.3 s; its process group is killed/,
  )
})

test('the leftovers of a dead slot are gone before its next start', async () => {
  const before = await reach('leaves-child', 'up')
  // A slot is up a moment after its start, which need not have got as far as its child.
  const left = await waitFor('its child', () => {
    const [child] = processesOf(hermes.runDir, key('leaves-child')).filter((pid) => pid !== before.pid)
    return child
  })
  process.kill(before.pid as number, 'SIGKILL')
  const next = await waitFor('the next process', async () => {
    const { pid } = await status('leaves-child')
    return pid !== before.pid && pid
  })
  // Killed before; the kernel may take longer to bury it than to start the next one. The next one's own child is
  // another.
  await waitFor('its end', () => !alive(left))
  expect(alive(next)).toBe(true)
})

test('start during stopping starts once the old process is gone', async () => {
  const before = await reach('slow-to-stop', 'up')
  expect((await say('stop', 'slow-to-stop', false)).slot.state).toBe('stopping')
  const { slot } = await say('start', 'slow-to-stop')
  expect(slot.state).toBe('up')
  expect(slot.pid).not.toBe(before.pid)
  expect(await deaths('slow-to-stop')).toEqual([])
})

test('stop during backoff is down at once', async () => {
  await reach('backs-off', 'backoff')
  expect((await say('stop', 'backs-off')).slot).toMatchObject({ state: 'down', wanted: 'down' })
  expect(await waitFor('the state file', () => gatewayState('backs-off').gateway_state === 'stopped')).toBe(true)
})

test('a log line, a newline on a descriptor and an address that answers make a slot ready', async () => {
  expect((await reach('says-ready', 'up')).ready).toBe(true)
  expect((await reach('fd-ready', 'up')).ready).toBe(true)

  let answers = 503
  const server = createServer((_request, response) => response.writeHead(answers).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`
  try {
    writeFileSync(
      join(dir('missing'), 'config.yaml'),
      JSON.stringify({ gateway: { command: ['sleep', '1000'], ready: { http: url } } }),
    )
    await say('start', 'missing', false)
    const asked = new Promise((resolve) => server.once('request', resolve))
    await asked
    expect((await status('missing')).state).toBe('starting')
    answers = 200
    await reach('missing', 'up')
    await say('stop', 'missing')
  } finally {
    server.close()
  }
})

test('a command that does not exist is one clear line in the log', () => {
  expect(logLines(hermes.home, 'missing')[0]).toMatch(
    new RegExp(
      `^\\S+ hermes: gateway-missing: no-such-program is not on PATH; set gateway\\.command in ${dir('missing')}/config\\.yaml$`,
    ),
  )
})

test.each([['#!/bin/sh\r\nexec sleep 1000\r\n'], ['#!/usr/bin/env sh\r\nexec sleep 1000\r\n']])(
  'a command with CRLF line ends is one clear line in the log: %j',
  async (text) => {
    const script = join(dir('dos'), 'agent.sh')
    writeFileSync(script, text, { mode: 0o755 })
    await say('restart', 'dos', false)
    await reach('dos', 'backoff')
    const advice = `save it with LF line ends: sed -i 's/\\r$//' ${script}`
    const last = await waitFor('the line', () => logLines(hermes.home, 'dos').at(-1))
    expect(last).toMatch(/^\S+ hermes: gateway-dos: /)
    expect(last).toContain(`: ${script}: its lines end in CRLF; ${advice}`)
    await say('stop', 'dos')
  },
)

test('.env is read at each start', async () => {
  await reach('reads-env', 'up')
  await waitFor('the line of the first start', () => logLines(hermes.home, 'reads-env').length > 0)
  appendFileSync(join(dir('reads-env'), '.env'), 'WORD="one $(id) two"\n')
  await say('restart', 'reads-env')
  const printed = () => logLines(hermes.home, 'reads-env').map((line) => line.slice(line.indexOf(' ') + 1))
  await waitFor('the line of the second start', () => printed().length > 1)
  expect(printed()).toEqual(['WORD=', 'WORD=one $(id) two'])
})

test('fifty clients that start, stop and restart at once all get an answer, and one process is left at most', async () => {
  await reach('storm', 'up')
  const ops = ['start', 'restart', 'stop', 'restart', 'start'] as const
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) => say(ops[i % ops.length] as 'start', 'storm')),
  )
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
  // A client whose command was overruled by a later one gets an error that says so; no client waits indefinitely.
  for (const error of refused) expect(error).toMatchObject({ code: 'FAILED' })
  expect(answers.length - refused.length).toBeGreaterThan(0)
  expect(processesOf(hermes.runDir, key('storm')).length).toBeLessThanOrEqual(1)
  const { slot } = await say('restart', 'storm')
  await onlyProcess('storm', slot.pid)
  expect(await deaths('storm')).toEqual([])
})

test('fifty restarts at once are few restarts, each of a process that was there', async () => {
  const before = await say('restart', 'storm')
  const answers = await Promise.all(Array.from({ length: 50 }, () => say('restart', 'storm')))
  expect(answers.every(({ slot }) => slot.state === 'up')).toBe(true)
  const after = await status('storm')
  expect(after.restarts - before.slot.restarts).toBeGreaterThan(0)
  expect(after.restarts - before.slot.restarts).toBeLessThanOrEqual(50)
  await onlyProcess('storm', after.pid)
})

/** A process that has just been forked still has its parent's environment, by which it is found. */
const onlyProcess = (name: string, pid: number | undefined): Promise<unknown> =>
  waitFor(`${pid} to be the only process of ${name}`, () => {
    const pids = processesOf(hermes.runDir, key(name))
    return (pids.length === 1 && pids[0] === pid) || Promise.reject(new Error(`there are ${pids}`))
  })
