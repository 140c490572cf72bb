// `hermes gateway run` by hand and as a slot runs it, without a supervisor.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serveControl } from '../../src/supervisor/control/server.ts'
import { systemClock } from '../../src/system/clock.ts'
import { HermesError } from '../../src/system/errors.ts'
import { handlers } from '../supervisor/control/handlers.ts'
import { cliEnvironment, hermes } from '../support/cli.ts'
import { program } from '../support/install.ts'
import { quickScratchDir } from '../support/scratch.ts'
import { realNative } from '../support/supervisor/real-native.ts'
import { named, whyNotRoot } from '../support/tools.ts'
import { waitFor, within } from '../support/wait.ts'

let home: string
const running: ChildProcess[] = []
beforeEach(() => {
  home = quickScratchDir('hermes-cli-')
})
afterEach(async () => {
  // TERM, not KILL: a gateway that runs a command of its own passes it on, and nothing outlives the test.
  for (const child of running.splice(0)) {
    child.kill('SIGTERM')
    await waitFor('the gateway to end', () => child.exitCode !== null || child.signalCode !== null)
  }
})

const ROOT = { HERMES_ALLOW_ROOT_GATEWAY: '1' }
const SLOT = { HERMES_SUPERVISED: '1' }

function gateway(
  env: Record<string, string> = ROOT,
  args: readonly string[] = ['gateway', 'run'],
  script = 'exec "$@"',
) {
  // A FIFO-like fd 3: a pipe of Node's is a socket pair, which the gateway takes as well.
  const child = spawn('sh', ['-c', script, 'sh', program('hermes'), ...args], {
    env: cliEnvironment({ home, env }),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  running.push(child)
  const seen = { stdout: '', stderr: '', ready: '' }
  for (const [name, stream] of [
    ['stdout', child.stdout],
    ['stderr', child.stderr],
    ['ready', child.stdio[3]],
  ] as const) {
    ;(stream as Readable).setEncoding('utf8').on('data', (text: string) => {
      seen[name] += text
    })
  }
  const exit = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'nothing')),
  )
  return { child, seen, exit: () => within('the gateway to end', exit, { seen: () => seen }) }
}

const pidFile = (dir = home): string => join(dir, 'gateway.pid')
const holder = (): { pid: number; start_time: number } => JSON.parse(readFileSync(pidFile(), 'utf8'))
const agentLog = (dir = home): string => readFileSync(join(dir, 'logs', 'agent.log'), 'utf8')
const up = (): Promise<unknown> =>
  waitFor('the gateway to be ready', () => existsSync(join(home, 'logs', 'agent.log')) && agentLog().includes('ready'))

describe('in a slot', () => {
  test('writes a newline to fd 3 when it is ready; TERM ends it with 0', async () => {
    const run = gateway(SLOT)
    await waitFor('the newline', () => run.seen.ready === '\n')
    expect(holder()).toEqual({ pid: run.child.pid, start_time: expect.any(Number), profile: 'default' })
    run.child.kill('SIGTERM')
    expect(await run.exit()).toBe(0)
    expect(existsSync(pidFile())).toBe(false)
  })

  test('writes to the fd that gateway.ready names, and to none where it is not an fd', async () => {
    writeFileSync(join(home, 'config.yaml'), 'gateway: {ready: {log: x}}\n')
    const run = gateway(SLOT)
    await up()
    run.child.kill('SIGTERM')
    expect(await run.exit()).toBe(0)
    expect(run.seen.ready).toBe('')
  })

  test('does not redirect and is not refused as root', async () => {
    const run = gateway(SLOT, ['gateway', 'run'], 'HERMES_MAIN=$$ exec "$@"')
    await waitFor('the newline', () => run.seen.ready === '\n')
  })

  test('runs the built-in gateway even where gateway.command is set: a command may wrap it', async () => {
    writeFileSync(join(home, 'config.yaml'), 'gateway: {command: [sh, -c, "exit 9"], ready: {fd: 3}}\n')
    const run = gateway(SLOT)
    await waitFor('the newline', () => run.seen.ready === '\n')
  })
})

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s by hand drains and ends with 0; its events are in agent.log, a line each',
  async (signal) => {
    const run = gateway()
    await up()
    run.child.kill(signal)
    expect(await run.exit()).toBe(0)
    for (const line of agentLog().trim().split('\n'))
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \[-\] \w+: .+$/)
    expect(agentLog()).toContain(`${signal}: draining`)
  },
)

test('LOG_FORMAT=json makes them JSON', async () => {
  gateway({ ...ROOT, LOG_FORMAT: 'json' })
  await up()
  expect(JSON.parse(agentLog().split('\n')[0] ?? '')).toMatchObject({
    level: 'info',
    component: 'gateway',
    time: expect.any(String),
  })
})

describe('as the main program, while its slot cannot be started yet', () => {
  const AS_MAIN = 'HERMES_MAIN=$$ exec "$@"'

  test.each([
    ['another container holds the volume', () => Promise.reject(new HermesError('VOLUME_BUSY', 'held by another'))],
    ['the supervisor does not answer', () => new Promise<never>(() => undefined)],
  ])('TERM ends it with 0 at once: %s', async (_, start) => {
    let asked = 0
    mkdirSync(join(home, 'run'))
    const socket = realNative.listenUnix(join(home, 'run', 'control.sock'), 511)
    const server = serveControl({
      fd: socket,
      clock: systemClock(),
      warn: (text) => expect.fail(text),
      handlers: handlers({
        start: () => {
          asked++
          return start()
        },
      }),
    })
    try {
      const run = gateway({}, ['gateway', 'run'], AS_MAIN)
      await waitFor('it to have asked', () => asked > 0)
      run.child.kill('SIGTERM')
      expect(await run.exit()).toBe(0)
    } finally {
      server.close()
    }
  })
})

describe('one gateway per profile', () => {
  test('a second one is refused, naming the pid that holds it', async () => {
    const first = gateway()
    await up()
    const second = await hermes(['gateway', 'run'], { home, env: ROOT })
    expect(second.code).toBe(1)
    expect(second.stderr).toContain(`pid ${first.child.pid} holds ${pidFile()}`)
    expect(holder().pid).toBe(first.child.pid)
  })

  test('a gateway of another profile is not refused', async () => {
    gateway()
    await up()
    await hermes(['profile', 'create', 'coder'], { home })
    gateway(ROOT, ['-p', 'coder', 'gateway', 'run'])
    await waitFor('the other one', () => agentLog(join(home, 'profiles', 'coder')).includes('ready'))
  })

  test('of twenty started at once one runs', async () => {
    const all = Array.from({ length: 20 }, () => gateway())
    const codes = all.map(({ exit }) => exit())
    await up()
    const refused = await within(
      'nineteen to be refused',
      Promise.all(codes.map((code) => Promise.race([code, lastOneRuns()]))),
    )
    expect(refused.filter((code) => code === 'runs')).toHaveLength(1)

    async function lastOneRuns(): Promise<string> {
      await waitFor('all but one to end', () => all.filter(({ child }) => child.exitCode === null).length === 1)
      return 'runs'
    }
  })

  test.each([
    ['of a process that is gone', JSON.stringify({ pid: 4_194_000, start_time: 1 })],
    ['of a pid that another process has now', JSON.stringify({ pid: process.pid, start_time: 1 })],
    ['that is empty', ''],
    ['that is not JSON', 'pid'],
    ['with a bare number', '12'],
  ])('a pid file %s is replaced', async (_, text) => {
    writeFileSync(pidFile(), text)
    const run = gateway()
    await up()
    expect(holder().pid).toBe(run.child.pid)
  })

  test('after kill -9 the next one starts', async () => {
    const first = gateway()
    await up()
    first.child.kill('SIGKILL')
    await first.exit()
    expect(existsSync(pidFile())).toBe(true)
    const second = gateway()
    await waitFor('the second to hold it', () => holder().pid === second.child.pid)
  })
})

describe('a wrong configuration ends it with 78, with file, line and key', () => {
  test.each([
    ['gateway: [', /config\.yaml, line 1: expected YAML/],
    ['agent:\n  openai: {base_url: nowhere}\n', /config\.yaml, line 2: agent\.openai: expected/],
  ])('%j', async (text, message) => {
    writeFileSync(join(home, 'config.yaml'), text)
    const { code, stderr } = await hermes(['gateway', 'run'], { home, env: SLOT })
    expect(code).toBe(78)
    expect(stderr).toMatch(message)
    expect(existsSync(pidFile())).toBe(false)
  })

  test('but a wrong value under gateway: is a warning in both logs, and the default counts', async () => {
    writeFileSync(join(home, 'config.yaml'), 'gateway: {restart: sometimes}\n')
    gateway()
    await up()
    await waitFor('the warning', () =>
      readFileSync(join(home, 'logs', 'errors.log'), 'utf8').includes('gateway.restart'),
    )
    expect(agentLog()).toContain('WARN')
  })
})

describe('by hand, with a gateway.command', () => {
  const withCommand = (script: string, more = ''): void => {
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'command'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(home, 'command'), 0o755)
    writeFileSync(join(home, 'config.yaml'), `gateway: {command: [./command, "a b"], env: {FROM_CONFIG: "1"}${more}}\n`)
  }

  test('runs that, in the profile’s directory, with its environment, and passes its exit code on', async () => {
    withCommand('echo "$1|$(pwd)|$FROM_CONFIG|$FROM_FILE|$HERMES_PROFILE"; exit 42')
    writeFileSync(join(home, '.env'), 'FROM_FILE=2\n')
    const { code, stdout } = await hermes(['gateway', 'run'], { home, env: ROOT })
    expect({ code, stdout }).toEqual({ code: 42, stdout: `a b|${home}|1|2|default\n` })
    expect(existsSync(pidFile())).toBe(false)
  })

  test('passes signals on; 128+n when a signal ended it', async () => {
    withCommand(
      'trap "echo got TERM; exit 7" TERM; trap "echo got USR1" USR1; echo started; while :; do sleep 0.05; done',
    )
    const run = gateway()
    await waitFor('it to start', () => run.seen.stdout.includes('started'))
    run.child.kill('SIGUSR1')
    await waitFor('USR1 to arrive', () => run.seen.stdout.includes('got USR1'))
    run.child.kill('SIGTERM')
    expect(await run.exit()).toBe(7)

    withCommand('kill -KILL $$')
    expect(await gateway().exit()).toBe(137)
  })

  test('a command that calls hermes gateway run gets the built-in gateway, not itself', async () => {
    withCommand(`rm -f gateway.pid; exec "${program('hermes')}" gateway run`)
    gateway()
    await up()
  })

  test('a program that is not there is 127 and named', async () => {
    writeFileSync(join(home, 'config.yaml'), 'gateway: {command: [./nowhere]}\n')
    expect(await hermes(['gateway', 'run'], { home, env: ROOT })).toMatchObject({
      code: 127,
      stderr: expect.stringContaining('./nowhere'),
    })
  })
})

test.skipIf(whyNotRoot !== undefined)(
  named('as root, outside a slot, it is refused with 1 and says why', whyNotRoot),
  async () => {
    for (const args of [['gateway', 'run'], ['gateway'], ['gateway', 'run', '--no-supervise']]) {
      const { code, stderr } = await hermes(args, { home })
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /refusing to run the gateway of "default" as root.*\n {2}next: .*HERMES_ALLOW_ROOT_GATEWAY=1/,
      )
    }
  },
)
