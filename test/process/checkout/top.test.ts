// `hermes top` and `hermes status --watch` on a real terminal.
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readProcess } from '../../../src/system/programs/proc.ts'
import { hermes as command } from '../../support/cli.ts'
import { gatewayThat, type RunningHermes, startHermes } from '../../support/hermes.ts'
import { program } from '../../support/install.ts'
import { size } from '../../support/size.ts'
import { Terminal } from '../../support/terminal.ts'
import { waitFor } from '../../support/wait.ts'

const ROWS = 24
const SLOTS = size(100, 200)
const SECONDS = size(8, 600)
/** USER_HZ (time(7)). */
const TICKS_PER_S = 100
const LEFT = '\x1b[?1049l'

/**
 * The screen that these sequences make: those of a cursor's place, and of what is erased (ECMA-48). A place below the
 * last line is the last line.
 */
function screenOf(output: string): readonly string[] {
  const rows = Array.from({ length: ROWS }, () => '')
  let row = 0
  for (const [, place, erased, text] of output.matchAll(
    /\x1b\[(\d+);1H|\x1b\[([JK])|\x1b\[[?\d;]*[a-zA-Z]|([^\x1b]+)/g,
  )) {
    if (place !== undefined) {
      row = Math.min(Number(place), ROWS) - 1
      rows[row] = ''
    } else if (erased === 'J') rows.fill('')
    else if (text !== undefined && row < ROWS) rows[row] += text
  }
  return rows.map((line) => line.trimEnd())
}

/** A command in a terminal of 80 × 24, whose modes are printed when it has ended. */
const terminal = ({ home }: RunningHermes, ...args: readonly string[]): Terminal =>
  new Terminal(
    `stty cols 80 rows ${ROWS}; before=$(stty -g); sh -c 'echo "pid $$."; exec "$@"' sh '${program('hermes')}' ${args.join(' ')}; code=$?; [ "$(stty -g)" = "$before" ] && echo "the same modes, exit $code"`,
    async () => undefined,
    { ...process.env, HERMES_HOME: home, HERMES_RUN_DIR: join(home, 'run'), TERM: 'xterm', NO_COLOR: '1' },
  )

const pidOf = async (shown: Terminal): Promise<number> =>
  Number(/pid (\d+)\./.exec(await shown.shows(/pid \d+\./))?.[1])

/** Waits until the screen has such a line. */
async function line(shown: Terminal, wanted: RegExp): Promise<string> {
  let found = ''
  await shown.shows({
    test: (output: string) => {
      found = screenOf(output).find((one) => wanted.test(one)) ?? ''
      return found !== ''
    },
  } as RegExp)
  return found
}

test('top shows slots and a log, acts on them by keys, and gives the terminal back', { timeout: 600_000 }, async () => {
  const gateway = { command: ['sh', '-c', 'echo a line; exec sleep 100000'] }
  await using running = await startHermes({
    profiles: [
      { name: 'coder', gateway },
      { name: 'writer', gateway, desired: 'stopped' },
    ],
  })
  await gatewayThat(running, 'coder', ({ state }) => state === 'up')
  await using top = terminal(running, 'top')
  expect(await line(top, /^gateway-coder +up /)).toMatch(/^gateway-coder +up +\d+ /)
  // In the first picture, before anything has changed.
  await line(top, /^q quit {2}\? keys/)
  await line(top, /^gateway-writer +down /)
  top.type('/coder\r')
  await line(top, /order: name, only "coder"/)
  await line(top, /^-- log of gateway-coder -/)
  await line(top, /^\S+Z a line$/)

  top.type('x')
  await line(top, /^stop gateway-coder\? y: yes/)
  top.type('n')
  await top.shows('nothing was done')
  expect((await running.slot('gateway-coder'))?.wanted).toBe('up')
  top.type('xy')
  await line(top, /^gateway-coder +down /)
  expect((await running.slot('gateway-coder'))?.wanted).toBe('down')
  // Changes by others are seen, too, and that of a key is recorded as that user's change.
  expect((await command(['gateway', 'start', 'coder'], { home: running.home })).code).toBe(0)
  await line(top, /^gateway-coder +up /)
  expect((await command(['audit'], { home: running.home })).stdout).toMatch(/ cli +gateway stop +coder +done/)

  // The next supervisor is followed.
  process.kill(await running.supervisorPid(), 'SIGKILL')
  await top.shows('this is what it was. Trying again')
  await gatewayThat(running, 'coder', ({ state }) => state === 'up')
  await line(top, /^q quit/)

  // Nothing could continue it here, so Ctrl-Z does not stop it.
  const left = (await top.shows('')).length
  top.type('\x1a')
  await top.shows({ test: (output: string) => /\x1b\[\?1049l.*\x1b\[\?1049h/s.test(output.slice(left)) } as RegExp)
  await line(top, /^q quit/)
  top.type('q')
  expect(await top.shows('the same modes, exit 0')).toContain(LEFT)
  expect(await top.exit()).toBe(0)
})

test('status --watch shows changes until q', { timeout: 600_000 }, async () => {
  await using running = await startHermes({ profiles: [{ name: 'coder', gateway: { command: ['sleep', '100000'] } }] })
  await using watch = terminal(running, 'status', '--watch')
  await line(watch, /^gateway-coder +up /)
  expect((await command(['gateway', 'stop', 'coder'], { home: running.home })).code).toBe(0)
  await line(watch, /^gateway-coder +down /)
  watch.type('q')
  expect(await watch.shows('the same modes, exit 0')).toContain(LEFT)
})

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
  '%s ends top as it would any command, with the terminal as it was',
  {
    timeout: 600_000,
  },
  async (signal) => {
    await using running = await startHermes({ profiles: [] })
    await using top = terminal(running, 'top')
    await line(top, /^dashboard +down /)
    const pid = Number(/pid (\d+)\./.exec(await top.shows(/pid \d+\./))?.[1])
    process.kill(pid, signal)
    const output = await top.shows(/the same modes, exit \d+/)
    expect(output).toContain(LEFT)
    expect(output).toContain(`the same modes, exit ${128 + constants.signals[signal]}`)
  },
)

test(`in ${SECONDS} s over ${SLOTS} slots, top takes little of a core and draws only what changes`, {
  timeout: 900_000,
}, async () => {
  const gateway = { command: ['sleep', '100000'] }
  const profiles = Array.from({ length: SLOTS }, (_, n) => ({ name: `p${n}`, gateway }))
  await using running = await startHermes({ profiles })
  const ups = async (): Promise<number> => (await running.status()).slots.filter(({ state }) => state === 'up').length
  await waitFor('the slots to be up', async () => (await ups()) >= SLOTS, { deadlineMs: 60_000 })
  await using top = terminal(running, 'top')
  await line(top, /^gateway-p\d+ +up /)
  const pid = await pidOf(top)
  const cpu = (): number => (readProcess(pid)?.cpuTicks ?? 0) / TICKS_PER_S
  const before = { cpu: cpu(), bytes: (await top.shows('')).length, atMs: performance.now() }
  await delay(SECONDS * 1000)
  const seconds = (performance.now() - before.atMs) / 1000
  const used = (100 * (cpu() - before.cpu)) / seconds
  const written = ((await top.shows('')).length - before.bytes) / seconds
  console.log(`top: ${used.toFixed(1)} % of a core, ${written.toFixed()} bytes a second`)
  expect(used).toBeLessThan(3)
  // The whole screen, every two seconds, would be more.
  expect(written).toBeLessThan(900)
  top.type('q')
  expect(await top.shows('the same modes, exit 0')).toContain(LEFT)
})

test('without a terminal, one line says so', async () => {
  await using running = await startHermes({ profiles: [] })
  for (const args of [['top'], ['status', '--watch']]) {
    const ran = await command(args, { home: running.home })
    expect(ran).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^hermes: .* needs a terminal: .*\n {2}next: /),
    })
  }
})
