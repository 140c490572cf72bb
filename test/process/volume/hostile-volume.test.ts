import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type RunningHermes, startHermes, writeHome } from '../../support/hermes.ts'
import { Shapes } from '../../support/hostile/hostile-shapes.ts'
import { size } from '../../support/size.ts'
import { waitFor } from '../../support/wait.ts'

const lives = { command: ['sleep', '100000'], ready_after: '50ms', restart_delay: { first: '1ms', max: '10ms' } }
const profiles = ['default', 'zzz'].map((name) => ({ name, gateway: lives }))
const UP_WITHIN_MS = 10_000

const scratch = mkdtempSync(join(tmpdir(), 'hermes-hostile-volume-'))
const shapes = new Shapes(scratch, size(5000, 100_000))
afterAll(() => {
  shapes[Symbol.dispose]()
  rmSync(scratch, { recursive: true, force: true })
})
/** All of them, or some 60 that hold every name and every kind. */
const some = shapes.all.filter((_, index) => index % size(8, 1) === 0)

/** Shapes in a place that decides whether that gateway runs at all: as documented, it then does not. */
const mayStop: Readonly<Record<string, readonly string[]>> = {
  'config.yaml': ['default'],
  desired_state: ['default'],
  profiles: ['zzz'],
  'run.lease': ['default', 'zzz'],
}

async function allUp(hermes: RunningHermes, name: string): Promise<void> {
  const expected = ['default', 'zzz'].filter((profile) => mayStop[name]?.includes(profile) !== true)
  await waitFor(
    `${expected.join(' and ')} to be up`,
    async () => {
      const { slots } = await hermes.status()
      return expected.every((profile) => slots.some((slot) => slot.profile === profile && slot.state === 'up'))
    },
    { deadlineMs: UP_WITHIN_MS },
  )
}

/** Resident memory of init and the supervisor, kB. */
async function memoryOf(hermes: RunningHermes): Promise<number> {
  const pids = [hermes.init.pid as number, await hermes.supervisorPid()]
  return pids.reduce((sum, pid) => {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return sum + Number(found?.[1])
  }, 0)
}
const freshHome = (): string => mkdtempSync(join(scratch, 'home-'))

let cleanKb = 0
test('memory of init and supervisor on a clean volume is the measure for the others', async () => {
  await using hermes = await startHermes({ home: freshHome(), profiles })
  await allUp(hermes, '')
  cleanKb = await memoryOf(hermes)
  expect(cleanKb).toBeGreaterThan(10_000)
})

test.each(some)('at boot, %s in the place of %s affects no other profile', async (kind, name) => {
  const home = freshHome()
  writeHome(home, profiles)
  const undo = shapes.plant(home, kind, name)
  try {
    await using hermes = await startHermes({
      home,
      runDir: `${home}-run`,
      keepHome: true,
      profiles: [],
      untilRunning: false,
    })
    await waitFor('the control socket to answer', () => hermes.status(), { deadlineMs: UP_WITHIN_MS })
    await allUp(hermes, name)
    expect(await memoryOf(hermes)).toBeLessThanOrEqual(cleanKb * 1.3)
  } finally {
    undo()
    for (const dir of [home, `${home}-run`]) rmSync(dir, { recursive: true, force: true })
  }
})

test('while it runs, none of them keeps requests waiting, a gateway from starting again, or the next supervisor from coming', async () => {
  await using hermes = await startHermes({ home: freshHome(), profiles })
  // A lease that is moved away is made anew by init, which looks each five seconds; what holds it up is seen at boot.
  for (const [kind, name] of some.filter(([, one]) => one !== 'run.lease')) {
    const undo = shapes.plant(hermes.home, kind, name)
    try {
      await hermes.control((client) => client.request('reconcile', {}))
      // Not written down: its place may be the one that something else lies in.
      await hermes.control((client) =>
        client.request('restart', { slot: 'gateway-default', wait: false, keepDesired: true }),
      )
      await allUp(hermes, name === 'profiles' ? name : mayStop[name] === undefined ? '' : name)
    } finally {
      undo()
    }
  }
  await waitFor('zzz to be up', async () => (await hermes.slot('gateway-zzz'))?.state === 'up')
  expect(await memoryOf(hermes)).toBeLessThanOrEqual(cleanKb * 1.3)
  process.kill(await hermes.supervisorPid(), 'SIGKILL')
  await allUp(hermes, '')
})

const STATE_FILES = ['gateway_state.json', 'desired_state', 'gateway.pid', 'processes.json'] as const
const GOOD: Readonly<Record<(typeof STATE_FILES)[number], string>> = {
  'gateway_state.json': JSON.stringify({
    gateway_state: 'running',
    desired_state: 'stopped',
    pid: 4711,
    start_time: 123456,
    exit_reason: 'none',
    restarts: 3,
    instance: 'abc',
    clean: true,
    updated_at: '2026-11-29T12:00:00.000Z',
  }),
  desired_state: 'stopped\n',
  'gateway.pid': JSON.stringify({ pid: 4711, start_time: 123456 }),
  'processes.json': '[]',
}
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  2 ** 53,
  '',
  'x'.repeat(5000),
  '\u0000\u001b',
  [],
  {},
  [[[]]],
  { __proto__: 1 },
  'NaN',
]

/** The n-th way to spoil a text: a byte turned round, cut short, doubled, or another value in one place of the JSON. */
function mutated(text: string, n: number): Buffer {
  const bytes = Buffer.from(text)
  const at = (n * 31) % bytes.length
  switch (n % 5) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << (Math.floor(n / 5) % 8))
      return bytes
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return Buffer.concat([bytes, bytes])
    case 3:
      return Buffer.from(JSON.stringify(VALUES[n % VALUES.length]))
    default: {
      if (!text.startsWith('{')) return Buffer.from([0xff, 0xfe, 0, n & 0xff])
      const value = JSON.parse(text) as Record<string, unknown>
      const keys = Object.keys(value)
      value[keys[Math.floor(n / 5) % keys.length] as string] = VALUES[Math.floor(n / 7) % VALUES.length]
      return Buffer.from(JSON.stringify(value))
    }
  }
}

const PER_BOOT = 25
test('mutations of every state file cost one profile its state, and no profile a start, at boot and while it runs', async () => {
  const rounds = size(2, 20)
  for (let round = 0; round < rounds; round++) {
    const home = freshHome()
    writeHome(home, profiles)
    const spoil = (from: number): void => {
      for (let p = 0; p < PER_BOOT; p++) {
        const dir = join(home, 'profiles', `p${p}`)
        mkdirSync(dir, { recursive: true })
        writeFileSync(join(dir, 'config.yaml'), JSON.stringify({ gateway: lives }))
        STATE_FILES.forEach((name, f) => {
          const file = join(dir, name)
          writeFileSync(file, mutated(GOOD[name], from + p * STATE_FILES.length + f))
        })
      }
    }
    spoil(round * PER_BOOT * STATE_FILES.length)
    await using hermes = await startHermes({ home, keepHome: true, profiles: [], deadlineMs: UP_WITHIN_MS })
    const known = async (): Promise<void> => {
      await allUp(hermes, '')
      await waitFor('every profile to have its slot', async () => {
        const { slots } = await hermes.status()
        return slots.filter(({ profile }) => profile !== undefined).length === PER_BOOT + 2
      })
    }
    await known()
    spoil((round + rounds) * PER_BOOT * STATE_FILES.length)
    process.kill(await hermes.supervisorPid(), 'SIGKILL')
    await known()
    const log = (): string => readFileSync(join(home, 'logs', 'supervisor.log'), 'utf8')
    const named = (): number => log().match(/it is ignored$/gm)?.length ?? 0
    if (named() >= 20)
      await waitFor('the rest to be counted', () => / more lines about state files of profiles/.test(log()))
    expect(named()).toBeLessThanOrEqual(20)
    expect(existsSync(join(home, 'profiles', 'p0'))).toBe(true)
  }
})
