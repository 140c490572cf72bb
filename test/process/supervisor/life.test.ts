// The supervisor over the life of a container: what it leaves behind, what the next one finds, what clients see.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { connectControl } from '../../../src/control/client.ts'
import type {
  JobResult,
  LogEventMessage,
  SlotEventMessage,
  SlotStatus,
  StatusResult,
} from '../../../src/protocol/control.ts'
import { hermes as command } from '../../support/cli.ts'
import { logLines, type RunningHermes, startHermes } from '../../support/hermes.ts'
import { program } from '../../support/install.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { scratchDir } from '../../support/scratch.ts'
import { processesOf } from '../../support/supervisor/slot-processes.ts'
import { waitFor, within } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
const sleeper = { command: ['sleep', '1000'], ready_after: '20ms' }

const reach = (hermes: RunningHermes, profile: string, state: SlotStatus['state']): Promise<SlotStatus> =>
  waitFor(`${profile} to be ${state}`, async () => {
    const slot = await hermes.slot(`gateway-${profile}`)
    return slot?.state === state && slot
  })
const say = (hermes: RunningHermes, op: 'start' | 'stop' | 'restart', profile: string, wait = true) =>
  hermes.control((client) =>
    client.request(op, { slot: `gateway-${profile}`, wait, timeoutMs: 20_000 }, { timeoutMs: 30_000 }),
  )
const stateFile = (hermes: RunningHermes, profile: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(hermes.home, 'profiles', profile, 'gateway_state.json'), 'utf8')) as Record<
    string,
    unknown
  >

/** One that has lived a second is followed at once, any other only after a growing delay. */
const hasLived = (sinceMs: number): Promise<true> =>
  waitFor('the supervisor to live a second', () => performance.now() - sinceMs > 1_050)

/** Kills the supervisor and waits until the next one answers. */
async function killSupervisor(hermes: RunningHermes): Promise<void> {
  const pid = await hermes.supervisorPid()
  process.kill(pid, 'SIGKILL')
  await waitFor('the next supervisor', async () => (await hermes.supervisorPid()) !== pid)
}

test('a start that is under way when the supervisor dies leads to exactly one process', async () => {
  await using hermes = await startHermes({
    profiles: [{ name: 'one', gateway: { ...sleeper, command: sh('echo $$ >>started; exec sleep 1000') } }],
  })
  // Written by the processes themselves: a line in the log may die with a supervisor that had read it.
  const started = (): string[] =>
    readFileSync(join(hermes.home, 'profiles', 'one', 'started'), 'utf8')
      .trim()
      .split('\n')
  let starts = 1
  let bornAtMs = performance.now()
  for (let i = 0; i < 6; i++) {
    const { pid: living } = await reach(hermes, 'one', 'up')
    await waitFor('it to have said so', () => started().at(-1) === String(living))
    await say(hermes, 'stop', 'one')
    await hasLived(bornAtMs)
    // Not waited for: the reply and the death of the supervisor race, which is the point.
    const pid = await hermes.supervisorPid()
    const client = await connectControl(join(hermes.runDir, 'control.sock'))
    const asked = client.request('start', { slot: 'gateway-one' }).catch((error: unknown) => error)
    if (i % 2 === 0) await asked
    process.kill(pid, 'SIGKILL')
    await asked
    client.close()
    await waitFor('the next supervisor', async () => (await hermes.supervisorPid()) !== pid)
    bornAtMs = performance.now()
    // The command may have died with the supervisor; given again it changes nothing, or starts once.
    const { slot } = await say(hermes, 'start', 'one')
    starts++
    await waitFor('its program', () => processesOf(hermes.runDir, 'gateway-one').length > 0)
    expect(processesOf(hermes.runDir, 'gateway-one')).toEqual([slot.pid])
    expect(slot.restarts).toBe(0)
  }
  await waitFor(
    'the last one to have said so',
    () => started().at(-1) === String(processesOf(hermes.runDir, 'gateway-one')[0]),
  )
  expect(started()).toHaveLength(starts)
})

test('a supervisor that dies while a slot stops is followed by one that ends the stop', async () => {
  const gateway = { command: sh('trap "" TERM; echo deaf; while :; do sleep 0.02; done'), stop_timeout: '2s' }
  await using hermes = await startHermes({ profiles: [{ name: 'stubborn', gateway }] })
  const { pid } = await reach(hermes, 'stubborn', 'up')
  await waitFor('it to be deaf', () => logLines(hermes.home, 'stubborn').some((line) => line.endsWith('deaf')))
  expect((await say(hermes, 'stop', 'stubborn', false)).slot.state).toBe('stopping')
  await killSupervisor(hermes)
  expect(await reach(hermes, 'stubborn', 'down')).toMatchObject({ wanted: 'down', restarts: 0 })
  expect(existsSync(`/proc/${pid}`)).toBe(false)
})

test('the state files of slots may be lost or garbled: their processes go on', async () => {
  await using hermes = await startHermes({ profiles: ['a', 'b', 'c'].map((name) => ({ name, gateway: sleeper })) })
  const before = await Promise.all(['a', 'b', 'c'].map((name) => reach(hermes, name, 'up')))
  rmSync(join(hermes.runDir, 'slots', 'gateway-a'))
  writeFileSync(join(hermes.runDir, 'slots', 'gateway-b'), '{"v":1,"slot":')
  await killSupervisor(hermes)
  for (const [i, name] of ['a', 'b', 'c'].entries())
    expect(await reach(hermes, name, 'up')).toMatchObject({ pid: before[i]?.pid, wanted: 'up' })
  expect(hermes.stderr().match(/cannot use the stored state of .*/g)).toEqual([
    expect.stringMatching(/^cannot use the stored state of gateway-b: .*; a new one replaces it$/),
  ])
})

test('a container stop writes only that the end was clean, and what ran comes back at the next boot', async () => {
  const profiles = [
    { name: 'ran', gateway: sleeper },
    { name: 'was-down', gateway: sleeper, desired: 'stopped' as const },
  ]
  await using first = await startHermes({ profiles, keepHome: true })
  await reach(first, 'ran', 'up')
  expect(
    await waitFor(
      'the state file',
      () => stateFile(first, 'ran').gateway_state === 'running' && stateFile(first, 'ran'),
    ),
  ).toMatchObject({
    pid: expect.any(Number),
    start_time: expect.any(Number),
    instance: expect.any(String),
    clean: false,
    restarts: 0,
  })
  expect(await first.stop()).toBe(0)
  expect(stateFile(first, 'ran')).toMatchObject({ gateway_state: 'running', clean: true })
  await using second = await startHermes({ profiles: [], home: first.home })
  await reach(second, 'ran', 'up')
  expect((await second.slot('gateway-was-down'))?.state).toBe('down')
  const boot = readFileSync(join(first.home, 'logs', 'container-boot.log'), 'utf8')
  expect(boot).toMatch(/profile=ran prior_state=running action=started prior_exit=clean\n/)
})

test('a boot, why and doctor name each profile whose move to another node was interrupted, and what to type', async () => {
  const home = quickDir('hermes-moves-')
  const [left, half] = [join(home, 'profiles', '.moving-left'), join(home, 'profiles', '.arriving-half')]
  for (const dir of [left, half]) mkdirSync(dir, { recursive: true })
  await using hermes = await startHermes({ profiles: [], home })
  const goesOn = 'hermes profile move left --to NODE goes on, hermes profile move left --cancel keeps it here'
  const again = 'run hermes profile move half --to this node again on the node it comes from'
  const boot = readFileSync(join(home, 'logs', 'container-boot.log'), 'utf8')
  for (const [name, dir, next] of [
    ['left', left, goesOn],
    ['half', half, again],
  ] as const) {
    expect(boot).toMatch(new RegExp(`profile=${name} prior_state=none action=skipped .*${dir}; next: ${next}`))
    await waitFor('the line', () => hermes.stderr().includes(`profile "${name}": it`) && hermes.stderr().includes(next))
    const why = await command(['why', name], { home })
    expect([why.code, why.stdout]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^${name} has no .*${dir}; next: ${next}`)),
    ])
    const doctor = await command(['doctor'], { home })
    expect(doctor.stdout).toMatch(new RegExp(`warn stale files: profile "${name}": .*${dir}\n {7}next: ${next}`))
    const shown = await command(['profile', 'show', name], { home })
    expect([shown.code, shown.stderr]).toEqual([
      3,
      expect.stringMatching(new RegExp(`no profile "${name}".*\n.*${next}`)),
    ])
  }
})

test('a profile that is copied into place gets a slot, and one whose directory goes loses it', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'old', gateway: sleeper }] })
  const { pid } = await reach(hermes, 'old', 'up')
  mkdirSync(join(hermes.home, 'profiles', 'new'))
  await reach(hermes, 'new', 'down')
  rmSync(join(hermes.home, 'profiles', 'old'), { recursive: true })
  await waitFor('its slot to go', async () => (await hermes.slot('gateway-old')) === undefined)
  expect(existsSync(`/proc/${pid}`)).toBe(false)
  // init does it, after the supervisor has forgotten the slot.
  await waitFor('its kept state to go', () => !existsSync(join(hermes.runDir, 'slots', 'gateway-old')))
  expect(existsSync(join(hermes.runDir, 'service', 'gateway-old'))).toBe(false)
})

test('an essential slot that is parked ends the container with its code', async () => {
  const gateway = { ...sleeper, command: sh('sleep 0.2; exit 78'), essential: true, ready_after: '10ms' }
  // It may have ended before anyone could see it run.
  await using hermes = await startHermes({ profiles: [{ name: 'vital', gateway }], untilRunning: false })
  expect(await within('the end', hermes.exit(), { deadlineMs: 60_000, seen: () => hermes.stderr() })).toBe(78)
  expect(hermes.stderr()).toContain('gateway-vital')
})

test("a job runs once, and its result is kept until its owner has taken it, over the supervisor's death too", async () => {
  await using hermes = await startHermes({ profiles: [] })
  const logFile = join(hermes.home, 'logs', 'job.log')
  const resultFile = join(hermes.home, 'logs', 'job.json')
  const job = (slot: string, text: string): Promise<JobResult> =>
    hermes.control((client) =>
      client.request('job', {
        slot,
        profile: 'default',
        command: sh(text),
        cwd: hermes.home,
        env: { TASK: 'a task' },
        logFile,
        resultFile,
      }),
    )
  const result = (op: 'job-result' | 'job-take', slot: string): Promise<JobResult> =>
    hermes.control((client) => client.request(op, { slot }))
  expect(await job('job-1', 'echo "doing $TASK"; exit 75')).toEqual({ state: 'running' })
  await expect(job('job-1', 'true')).rejects.toMatchObject({ code: 'EXISTS' })
  const ended = await waitFor('the job to end', async () => {
    const now = await result('job-result', 'job-1')
    return now.state === 'ended' && now
  })
  expect(ended.ending).toEqual({ exitCode: 75 })
  expect(readFileSync(logFile, 'utf8')).toMatch(/^\S+Z doing a task\n$/)
  expect(JSON.parse(readFileSync(resultFile, 'utf8'))).toEqual(ended)
  await killSupervisor(hermes)
  expect(await result('job-result', 'job-1')).toEqual(ended)
  expect(await result('job-take', 'job-1')).toEqual(ended)
  expect(existsSync(resultFile)).toBe(false)
  await expect(result('job-take', 'job-1')).rejects.toMatchObject({ code: 'NO_SUCH_SLOT' })
  // init does it, after the supervisor has forgotten the slot.
  await waitFor('its kept state to go', () => !existsSync(join(hermes.runDir, 'slots', 'job-1')))
})

test('followers see each transition and each line from the moment they asked', async () => {
  await using hermes = await startHermes({
    profiles: [
      {
        name: 'talks',
        desired: 'stopped',
        gateway: { ...sleeper, command: sh('echo one; echo two; exec sleep 1000') },
      },
    ],
  })
  const stop = new AbortController()
  const client = await connectControl(join(hermes.runDir, 'control.sock'))
  const events: SlotEventMessage[] = []
  const lines: LogEventMessage[] = []
  let following = 0
  const options = { signal: stop.signal, onStart: () => void following++ }
  const readers = [
    (async () => {
      for await (const event of client.follow('events', {}, options)) events.push(event)
    })(),
    (async () => {
      for await (const event of client.follow('logs', { slots: ['gateway-talks'] }, options)) lines.push(event)
    })(),
  ]
  await waitFor('both to follow', () => following === 2)
  await say(hermes, 'start', 'talks')
  await waitFor('both lines', () => lines.flatMap((message) => message.lines).join() === 'one,two')
  await say(hermes, 'stop', 'talks')
  // Events of other slots come, too, in between and after them.
  const states = () => events.filter(({ slot }) => slot.slot === 'gateway-talks').map(({ slot }) => slot.state)
  await waitFor('the last transition', () => states().at(-1) === 'down')
  expect([...new Set(states())]).toEqual(['starting', 'up', 'stopping', 'down'])
  stop.abort()
  await Promise.all(readers)
  client.close()
})

test('the second container on a volume waits, says who holds it, and starts what should run when it is free', async () => {
  await using first = await startHermes({ profiles: [{ name: 'shared', gateway: sleeper }], keepHome: true })
  await reach(first, 'shared', 'up')
  const runDir = scratchDir('second-')
  const second = spawn(program('init'), ['--foreground'], {
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HERMES_HOME: first.home, HERMES_RUN_DIR: runDir },
    stdio: 'ignore',
  })
  try {
    const client = await waitFor('the second one to answer', () => connectControl(join(runDir, 'control.sock')))
    const status = (): Promise<StatusResult> => client.request('status', {})
    expect(
      await waitFor('it to wait', async () => (await status()).phase === 'waiting' && (await status())),
    ).toMatchObject({
      holder: expect.stringMatching(/^instance \S+ on host \S+/),
      slots: [],
    })
    await expect(client.request('start', { slot: 'gateway-shared' })).rejects.toMatchObject({ code: 'VOLUME_BUSY' })
    expect(await first.stop()).toBe(0)
    await waitFor('the gateway to run there', async () =>
      (await status()).slots.some(({ slot, state }) => slot === 'gateway-shared' && state === 'up'),
    )
    client.close()
  } finally {
    const ended = new Promise((resolve) => second.on('exit', resolve))
    second.kill('SIGTERM')
    await ended
    rmSync(first.home, { recursive: true, force: true })
  }
})

test('operators who ask for a slot that does not exist get the names of those that do', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'coder', gateway: sleeper }] })
  await expect(say(hermes, 'start', 'codr')).rejects.toMatchObject({
    code: 'NO_SUCH_SLOT',
    next: expect.stringContaining('gateway-coder'),
  })
  await say(hermes, 'stop', 'coder')
  await expect(
    hermes.control((client) => client.request('signal', { slot: 'gateway-coder', signal: 'HUP' })),
  ).rejects.toMatchObject({
    code: 'FAILED',
    message: 'gateway-coder has no process to send SIGHUP to: it is down',
  })
})

test('when init is killed, the supervisor stops its slots and ends', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'orphan', gateway: sleeper }] })
  const { pid } = await reach(hermes, 'orphan', 'up')
  const supervisor = await hermes.supervisorPid()
  hermes.init.kill('SIGKILL')
  const gone = (one: number): boolean =>
    !existsSync(`/proc/${one}/stat`) || readFileSync(`/proc/${one}/stat`, 'utf8').includes(') Z ')
  await waitFor('both to be gone', () => gone(pid as number) && gone(supervisor))
})
