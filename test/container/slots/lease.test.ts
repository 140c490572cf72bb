// One volume, two containers: whose is it? The lock on run.lease says so, and no clock.
import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BoxOptions } from '../../support/container/blueprint.ts'
import { type Box, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const TEN_YEARS_MS = 10 * 365 * 86_400_000
const files = { 'config.yaml': lives(), desired_state: 'running\n' }

const runsNothing = async (box: Box): Promise<void> =>
  expect((await box.status()).slots.filter(({ state }) => state === 'up')).toEqual([])

test('two containers on one volume: the second waits, says who holds it, and takes over after docker kill', async () => {
  using volume = keptHome()
  const home = volume.path
  await using first = await startContainer({ home, hostname: 'first', files })
  await first.up('gateway-default')
  await using second = await startContainer({
    home,
    hostname: 'second',
    command: ['sh', '-c', 'echo main runs; exec sleep 1000'],
  })
  await second.saw('main runs')
  await second.saw(/first/)
  await runsNothing(second)
  await first.docker('kill')
  await second.up('gateway-default')
})

test('in a container that waits for the volume a profile can be made; what would touch the other’s gateways is refused', async () => {
  using volume = keptHome()
  const home = volume.path
  await using first = await startContainer({ home, hostname: 'first', files })
  await first.up('gateway-default')
  await first.ok('hermes', 'profile', 'create', 'old')
  await using second = await startContainer({ home, hostname: 'second', command: ['sleep', '1000'] })
  await second.saw('container first is using this volume. Stop it')
  const made = await second.hermes('profile', 'create', 'coder')
  expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('the slot appears when the volume is free') })
  await first.slot('gateway-coder', ({ state }) => state === 'down')
  const refusals: readonly (readonly [readonly string[], string])[] = [
    [['profile', 'create', 'third', '--start'], 'profiles/third was created, but its gateway was not started'],
    [['profile', 'delete', 'old', '--yes'], '"old" is not deleted'],
    [['profile', 'rename', 'old', 'new'], '"old" is not renamed'],
    [['-p', 'old', 'gateway', 'start'], 'container first is using this volume'],
    [['-p', 'old', 'gateway', 'stop'], 'container first is using this volume'],
  ]
  for (const [args, says] of refusals) {
    const { code, stderr } = await second.hermes(...args)
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(says) })
    expect(stderr).toContain('container first is using this volume')
  }
  // Before the volume is free there are no slots: that is not "no such slot", nor nothing to do.
  const queries: readonly (readonly string[])[] = [
    ['gateway', 'status'],
    ['dashboard', 'status'],
    ['gateway', 'restart', '--all'],
    ['service', 'list'],
  ]
  for (const args of queries) {
    const { code, stdout, stderr } = await second.hermes(...args)
    expect({ args, code, stdout, stderr }).toEqual({
      args,
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('container first is using this volume'),
    })
  }
  const all = await second.hermes('gateway', 'status', '--all')
  expect(all).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('\nWaiting: container first is using this volume. Stop it'),
  })
  expect((await second.hermes('doctor')).stdout).toContain(
    'warn supervisor: waits for the volume: container first is using this volume\n       next: Stop it',
  )
  expect(await first.ok('hermes', 'profile', 'list', '--quiet')).toBe('default\ncoder\nold\nthird\n')
  await first.docker('kill')
  await second.slot('gateway-coder', ({ state }) => state === 'down')
})

test('the same hostname, a recreated container: the volume is free at once', async () => {
  using volume = keptHome()
  const home = volume.path
  await using first = await startContainer({ home, hostname: 'hermes', files })
  await first.up('gateway-default')
  await first.docker('kill')
  await using second = await startContainer({ home, hostname: 'hermes' })
  await second.up('gateway-default', { deadlineMs: 5000 })
})

/**
 * How far the clock of a container's init and supervisor is off, as `shift` says: the machine has one clock for all
 * containers.
 */
class OwnClock implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'hermes-clock-'))

  constructor(byMs: number) {
    chmodSync(this.#dir, 0o755)
    this.jump(byMs)
    writeFileSync(
      join(this.#dir, 'prelude.js'),
      `{
        const Real = Date
        const now = () => Real.now() + Number(require('node:fs').readFileSync('/clock/shift', 'latin1'))
        globalThis.Date = class extends Real {
          constructor(...words) { super(...(words.length > 0 ? words : [now()])) }
          static now() { return now() }
        }
      }\n`,
    )
  }

  jump(byMs: number): void {
    writeFileSync(join(this.#dir, 'shift'), String(byMs))
  }

  get options(): Pick<BoxOptions, 'entrypoint' | 'mounts'> {
    const wind = `for program in init supervisor; do
      file=/opt/hermes/lib/$program.cjs; cat /clock/prelude.js $file >/tmp/wound; cat /tmp/wound >$file
    done; exec /init "$@"`
    return { entrypoint: ['sh', '-c', wind, 'sh'], mounts: [[this.#dir, '/clock', 'ro']] }
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

test.each([
  { jump: 'ahead', byMs: TEN_YEARS_MS },
  { jump: 'back', byMs: -TEN_YEARS_MS },
])('a clock that jumps ten years $jump costs the holder nothing, and gives the other one nothing', async ({ byMs }) => {
  using volume = keptHome()
  const home = volume.path
  const year = (ms: number): string => String(new Date(Date.now() + ms).getUTCFullYear())
  const ticks = 'gateway:\n  command: ["/bin/sh", "-c", "while :; do echo tick; sleep 0.1; done"]\n'
  using firstClock = new OwnClock(0)
  await using first = await startContainer({
    ...firstClock.options,
    home,
    hostname: 'first',
    files: { ...files, 'config.yaml': ticks },
  })
  const { pid } = await first.up('gateway-default')
  using secondClock = new OwnClock(-byMs)
  await using second = await startContainer({ ...secondClock.options, home, hostname: 'second' })
  await second.saw(/container first is using this volume/)
  firstClock.jump(byMs)
  secondClock.jump(byMs)
  // A control: the holder's supervisor has seen the jump.
  await waitFor('a line of another year', () =>
    new RegExp(`^${year(byMs)}-.*Z tick$`, 'm').test(first.file('logs/gateways/default/current') ?? ''),
  )
  expect(await first.up('gateway-default')).toMatchObject({ pid, restarts: 0 })
  await runsNothing(second)
  await first.docker('kill')
  await second.up('gateway-default')
})

test.each([
  { stamped: 'long ago', at: new Date(0), counter: 0 },
  { stamped: 'in the far future', at: new Date('2100-01-01'), counter: 999_999_999_999_999 },
])(
  'a run.lease that was written $stamped, as a jump of the clock leaves it, is held while its holder lives, and then free',
  async ({ at, counter }) => {
    using volume = keptHome()
    const home = volume.path
    const lease = join(home, 'run.lease')
    await using first = await startContainer({ home, hostname: 'first', files })
    const { pid } = await first.up('gateway-default')
    const text = await waitFor('the holder to have signed', () => first.file('run.lease'))
    writeFileSync(lease, text.replace(/counter=\d+/, `counter=${counter}`))
    utimesSync(lease, at, at)
    await using second = await startContainer({ home, hostname: 'second' })
    await second.saw(/first/)
    await runsNothing(second)
    expect(await first.up('gateway-default')).toMatchObject({ pid, restarts: 0 })
    await first.docker('kill')
    utimesSync(lease, at, at)
    await second.up('gateway-default')
  },
)

test('a lease of a container that is gone delays no other container', async () => {
  const text = `${'hermes lease: instance=gone host=other counter=4711'.padEnd(255)}\n`
  await using box = await startContainer({ files: { ...files, 'run.lease': text } })
  await box.up('gateway-default', { deadlineMs: 5000 })
  await waitFor('it to be signed anew', () => !box.file('run.lease')?.includes('instance=gone'))
})
