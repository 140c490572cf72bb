// The checks of a gateway that is up, on real processes. One Hermes for all of them.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STAMP_BYTES } from '../../../src/log/stamp.ts'
import type { SlotStatus } from '../../../src/protocol/control.ts'
import { hermes as cli } from '../../support/cli.ts'
import { logLines, type RunningHermes, startHermes, type TestProfile } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
const SLEEPS = sh('echo begins; exec sleep 100000')
const soon = { ready_after: '20ms', restart_delay: { first: '20ms', max: '20ms' } }

const home = quickDir('hermes-health-')
const alive = join(home, 'profiles', 'answers', 'alive')
const server = createServer((socket) => socket.destroy())
const go = join(home, 'profiles', 'serves', 'go')
let apiPort: number
let hermes: RunningHermes
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  apiPort = await freePort()
  const profiles: readonly TestProfile[] = [
    {
      name: 'answers',
      gateway: {
        command: sh('touch alive; exec sleep 100000'),
        liveness: { command: ['test', '-e', alive], every: '100ms', failures: 2 },
        ...soon,
      },
    },
    { name: 'silent', gateway: { command: SLEEPS, liveness: { silence: '2s' }, ...soon } },
    {
      name: 'talks',
      gateway: { command: sh('while :; do echo line; sleep 0.1; done'), liveness: { silence: '1m' }, ...soon },
    },
    {
      name: 'deaf',
      gateway: { command: SLEEPS, liveness: { command: ['false'], every: '5s', failures: 100 }, ...soon },
    },
    { name: 'connects', gateway: { command: SLEEPS, ready: { tcp: port }, ...soon } },
    { name: 'asks', gateway: { command: SLEEPS, ready: { command: ['false'] }, start_timeout: 0, ...soon } },
    {
      name: 'fat',
      gateway: {
        command: sh(
          `"${process.execPath}" -e 'const held = Buffer.alloc(300e6, 1); setInterval(() => held, 1000)' & wait`,
        ),
        memory_limit: '200M',
        ...soon,
      },
    },
    {
      name: 'limited',
      gateway: {
        command: sh('nice; cat /proc/self/limits; exec sleep 100000'),
        nice: 7,
        rlimits: { nofile: 300, nproc: 20000, core: 0, fsize: '1M', as: '10G', stack: '4M', cpu: '1h' },
        ...soon,
      },
    },
    {
      name: 'too-high',
      gateway: { command: SLEEPS, rlimits: { nofile: 2 ** 31 }, restart_delay: { first: '1h', max: '1h' } },
    },
    { name: 'old', gateway: { command: SLEEPS, max_age: '1s', restart: 'never', ...soon } },
    {
      name: 'watches',
      // The first look is made at its start: long before it counts as ready.
      gateway: { command: SLEEPS, watch: ['prompts', 'config.yaml', '.env'], ready_after: '1s' },
    },
    {
      name: 'fails-until',
      gateway: {
        command: sh('[ -e works ] && exec sleep 100000; exit 1'),
        watch: ['works'],
        restart_delay: { first: '1h', max: '1h' },
      },
    },
    { name: 'stopped', gateway: { command: SLEEPS, on_stuck: 'restart', ...soon } },
    { name: 'left-alone', gateway: { command: SLEEPS, on_stuck: 'report', ...soon } },
    {
      name: 'serves',
      gateway: { env: { API_SERVER_ENABLED: 'true', API_SERVER_PORT: `${apiPort}` }, on_stuck: 'report' },
      agent: { command: sh(`while [ ! -e "${go}" ]; do sleep 0.1; done; echo answer`) },
    },
    { name: 'lean', gateway: { command: SLEEPS, memory_limit: '200M', ...soon } },
  ]
  hermes = await startHermes({ home, profiles })
})
afterAll(async () => {
  server.close()
  await hermes[Symbol.asyncDispose]()
})

const slot = (name: string, is: (slot: SlotStatus) => boolean): Promise<SlotStatus> =>
  waitFor(
    `gateway-${name}`,
    async () => {
      const found = await hermes.slot(`gateway-${name}`)
      return found !== undefined && is(found) ? found : undefined
    },
    { deadlineMs: 60_000 },
  )
const printed = (name: string): readonly string[] => logLines(hermes.home, name).map((line) => line.slice(STAMP_BYTES))
const isUp = ({ state }: SlotStatus): boolean => state === 'up'
const saw = (text: string | RegExp): Promise<unknown> =>
  waitFor(`${text}`, () => (typeof text === 'string' ? hermes.stderr().includes(text) : text.test(hermes.stderr())), {
    deadlineMs: 60_000,
  })

test('a gateway that does not answer any more is restarted, and the log says why', async () => {
  const { pid } = await slot('answers', isUp)
  await waitFor('the file, to remove it', () => existsSync(alive))
  rmSync(alive)
  await slot('answers', (one) => isUp(one) && one.pid !== pid)
  await saw('gateway-answers does not answer, 2 times in a row: test ends with 1; it is restarted')
})

test('a gateway that has printed nothing for the time of `silence` is restarted; one that prints is not', async () => {
  const { pid } = await slot('talks', isUp)
  await slot('silent', ({ restarts }) => restarts > 0)
  await saw('gateway-silent has printed no line for 2 s; it is restarted')
  expect(await slot('talks', isUp)).toMatchObject({ pid, restarts: 0 })
})

test('a gateway that does not answer is shown as stuck before it is restarted, and `hermes why` says so', async () => {
  const found = await slot('deaf', ({ health }) => health === 'stuck')
  expect(found).toMatchObject({ state: 'up', restarts: 0 })
  expect(found.evidence?.join()).toMatch(/^does not answer \(\d+ of 100 times in a row\): false ends with 1$/)
  expect(await cli(['why', 'deaf'], hermes)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^deaf runs \(pid \d+\) but seems stuck: it does not answer .*; next: hermes -p deaf logs\.\n$/,
    ),
  })
  expect(await slot('talks', isUp)).toMatchObject({ health: 'ok' })
  expect(await cli(['why', 'talks'], hermes)).toMatchObject({ code: 0 })
  expect((await slot('lean', isUp)).health).toBeUndefined()
})

test('a gateway that is stopped by a signal is shown as stuck first, and restarted only if it is to be', async () => {
  const { pid = 0 } = await slot('stopped', isUp)
  const other = await slot('left-alone', isUp)
  process.kill(other.pid ?? 0, 'SIGSTOP')
  process.kill(pid, 'SIGSTOP')
  const shown = 'seems stuck: it is stopped by a signal; '
  await saw(`gateway-left-alone ${shown}it is left alone (on_stuck: report)`)
  await saw(`gateway-stopped ${shown}it is restarted if it still does in 5 s (on_stuck: restart)`)
  const restarted = await slot('stopped', (one) => isUp(one) && one.pid !== pid)
  expect(restarted).toMatchObject({ restarts: 1, lastDeath: { signal: 'TERM' } })
  await saw(`gateway-stopped ${shown}it is restarted\n`)
  expect(await slot('left-alone', ({ health }) => health === 'stuck')).toMatchObject({
    pid: other.pid,
    evidence: ['is stopped by a signal'],
  })
  expect(await cli(['why', 'left-alone'], hermes)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^left-alone runs \(pid \d+\) but seems stuck: it is stopped by a signal; next: /),
  })
  process.kill(other.pid ?? 0, 'SIGCONT')
  await saw('gateway-left-alone does not seem stuck any more')
})

test('a request that takes long is evidence, with the CPU that the gateway and its agent use', async () => {
  await slot('serves', isUp)
  const answer = fetch(`http://127.0.0.1:${apiPort}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] }),
  })
  const has = (text: RegExp) => (one: SlotStatus) => one.evidence?.some((found) => text.test(found)) === true
  const found = await slot('serves', has(/^has a request open for \d+ s$/))
  expect(found.health).toBe('ok')
  expect(has(/^used \d+ % of a CPU in the last \d+ s$/)(await slot('serves', has(/CPU/)))).toBe(true)
  expect(await cli(['why', 'serves'], hermes)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^serves has been up for .*, has a request open for .* and used .* of a CPU in .*\.\n$/,
    ),
  })
  writeFileSync(go, '')
  expect(await (await answer).json()).toMatchObject({ choices: [{ message: { content: 'answer' } }] })
  await slot('serves', (one) => one.evidence !== undefined && !has(/request/)(one))
})

test('a gateway whose children hold more memory than it may is restarted; one that needs less is not', async () => {
  const { pid } = await slot('lean', isUp)
  await slot('fat', ({ restarts }) => restarts > 0)
  await saw(/gateway-fat holds \d+ MiB of memory; memory_limit is 200 MiB; it is restarted/)
  expect(await slot('lean', isUp)).toMatchObject({ pid, restarts: 0 })
})

test('a gateway that has reached its max_age is restarted, which is not a death', async () => {
  expect(await slot('old', ({ restarts }) => restarts > 1)).toMatchObject({ wanted: 'up' })
  expect((await slot('old', () => true)).lastDeath).toBeUndefined()
  await saw('gateway-old has reached its max_age of 1 s; it is restarted')
})

test('a gateway is restarted when a file it watches has changed, also by a rename, and by nothing else', async () => {
  const dir = join(home, 'profiles', 'watches')
  let { pid } = await slot('watches', isUp)
  const change = async (act: () => void, path: string): Promise<void> => {
    act()
    pid = (await slot('watches', (one) => isUp(one) && one.pid !== pid)).pid
    await saw(`gateway-watches has to read ${join(dir, path)} again, which has changed; it is restarted`)
  }
  mkdirSync(join(dir, 'prompts', 'deep'), { recursive: true })
  await slot('watches', (one) => isUp(one) && one.pid !== pid).then((one) => {
    pid = one.pid
  })
  await change(() => writeFileSync(join(dir, 'prompts', 'deep', 'a.txt'), 'one'), 'prompts/deep/a.txt')
  writeFileSync(join(dir, 'prompts', '.a.swp'), 'of an editor')
  writeFileSync(join(dir, 'elsewhere'), 'x')
  await change(() => {
    writeFileSync(join(dir, 'new'), 'two')
    renameSync(join(dir, 'new'), join(dir, 'prompts', 'deep', 'a.txt'))
  }, 'prompts/deep/a.txt')
  await change(() => writeFileSync(join(dir, '.env'), 'A=b\n', { mode: 0o600 }), '.env')
  const { restarts, lastDeath } = await slot('watches', isUp)
  expect([restarts, lastDeath]).toEqual([4, undefined])
})

test('a gateway that waits for its next attempt is started at once when a file it watches has changed', async () => {
  await slot('fails-until', ({ state }) => state === 'backoff')
  writeFileSync(join(home, 'profiles', 'fails-until', 'works'), '')
  await slot('fails-until', isUp)
})

test('a gateway has the priority and the limits of its settings; one that cannot be set is named', async () => {
  await slot('limited', isUp)
  const lines = await waitFor('its lines', () => {
    const found = printed('limited')
    return found.some((line) => line.startsWith('Max realtime timeout')) && found.join('\n').replace(/ +/g, ' ')
  })
  expect(lines).toMatch(/^7$/m)
  for (const line of [
    'Max open files 300 300 files',
    'Max processes 20000 20000 processes',
    'Max core file size 0 0 bytes',
    'Max file size 1048576 1048576 bytes',
    'Max address space 10737418240 10737418240 bytes',
    'Max stack size 4194304 4194304 bytes',
    'Max cpu time 3600 3600 seconds',
  ])
    expect(lines).toContain(line)
  expect(await slot('too-high', ({ state }) => state === 'backoff')).toMatchObject({
    lastDeath: { exitCode: 126 },
  })
  const reason = 'hermes: gateway-too-high: rlimits.nofile cannot be set to 2147483648; its hard limit may be lower'
  await waitFor('the line with the reason', () => printed('too-high').includes(reason))
})

test('a gateway is ready when its port accepts a connection, and not before its command exits with 0', async () => {
  await slot('connects', isUp)
  expect(await slot('asks', () => true)).toMatchObject({ state: 'starting' })
})

// Last: it takes the supervisor away from all others.
test('the next supervisor goes on with what the process was started with', async () => {
  const { pid } = await slot('answers', isUp)
  const supervisor = await hermes.supervisorPid()
  process.kill(supervisor, 'SIGKILL')
  await waitFor('another supervisor', async () => (await hermes.supervisorPid()) !== supervisor)
  await waitFor('the file, to remove it', () => existsSync(alive))
  rmSync(alive)
  await slot('answers', (one) => isUp(one) && one.pid !== pid)
})
