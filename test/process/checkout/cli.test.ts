// The built `hermes` against a real supervisor.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SlotStatus } from '../../../src/protocol/control.ts'
import { hermes, type Ran, runProgram, startProgram } from '../../support/cli.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { installDir, program } from '../../support/install.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { stretchedMs, waitFor, within } from '../../support/wait.ts'

const QUICK = { ready_after: '50ms', restart_delay: { first: '50ms', max: '100ms' }, stop_timeout: '1s' }
const SLEEPS = { ...QUICK, command: ['sh', '-c', 'echo "hello from $HERMES_PROFILE"; exec sleep 1000'] }

let running: RunningHermes
beforeAll(async () => {
  running = await startHermes({
    profiles: [
      { name: 'default', gateway: SLEEPS, desired: 'stopped' },
      { name: 'sleeper', gateway: SLEEPS, desired: 'stopped' },
      {
        name: 'misconfigured',
        // It waits for a line that never comes: on a busy machine sh may live longer than QUICK needs to call it ready.
        gateway: { ...QUICK, ready: { log: 'never' }, command: ['sh', '-c', 'echo "PORT is missing"; exit 78'] },
        desired: 'stopped',
      },
      {
        name: 'never-ready',
        gateway: { ...QUICK, command: ['sleep', '1000'], ready: { log: 'never' } },
        desired: 'stopped',
      },
      {
        name: 'ignores-term',
        gateway: { ...QUICK, command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] },
        desired: 'stopped',
      },
      { name: 'built-in', gateway: {}, desired: 'stopped' },
    ],
  })
})
afterAll(() => running[Symbol.asyncDispose]())

const run = (line: string, env: Record<string, string> = {}): Promise<Ran> =>
  hermes(line.split(' '), { home: running.home, env: { HERMES_RUN_DIR: running.runDir, ...env } })
const slotOf = async (profile: string): Promise<SlotStatus> => {
  const slot = await running.slot(`gateway-${profile}`)
  if (!slot) throw new Error(`no slot of ${profile}`)
  return slot
}
const profileDir = (name: string): string => join(running.home, 'profiles', name)

describe('a profile, from create to delete', () => {
  test('its slot appears, starts, comes back after kill -9, stops, and goes with it', async () => {
    const created = await run('profile create coder')
    expect(created).toMatchObject({ code: 0, stderr: '' })
    expect(created.stdout).toContain('slot gateway-coder: down')
    expect((await run('-p coder gateway status')).code).toBe(1)

    writeFileSync(join(profileDir('coder'), 'config.yaml'), JSON.stringify({ gateway: SLEEPS }))
    const started = await run('-p coder gateway start')
    expect(started).toMatchObject({ code: 0, stdout: expect.stringMatching(/^gateway-coder: up, pid \d+ \(/) })
    const { pid } = await slotOf('coder')
    const status = await run('-p coder gateway status')
    expect(status.code).toBe(0)
    expect(status.stdout).toMatch(
      new RegExp(`^Manager: foreground\ngateway-coder\n {2}state +up\n(.*\n)* {2}pid +${pid}\n`),
    )
    expect(readFileSync(join(profileDir('coder'), 'desired_state'), 'utf8')).toBe('running\n')

    process.kill(pid as number, 'SIGKILL')
    await waitFor('another process to be up', async () => {
      const slot = await slotOf('coder')
      return slot.state === 'up' && slot.pid !== pid && slot.restarts === 1
    })
    expect(JSON.parse((await run('-p coder gateway status --json')).stdout)).toMatchObject({
      slot: 'gateway-coder',
      profile: 'coder',
      state: 'up',
      wanted: 'up',
      ready: true,
      restarts: 1,
      lastDeath: { signal: 'KILL' },
    })

    expect(await run('-p coder gateway stop')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^gateway-coder: down \(/),
    })
    expect(readFileSync(join(profileDir('coder'), 'desired_state'), 'utf8')).toBe('stopped\n')
    expect((await run('-p coder gateway status')).code).toBe(1)

    expect((await run('-p coder gateway start')).code).toBe(0)
    expect((await run('profile delete coder --yes')).code).toBe(0)
    expect(await running.slot('gateway-coder')).toBeUndefined()
    expect(existsSync(profileDir('coder'))).toBe(false)
    expect(existsSync(join(running.home, 'logs', 'gateways', 'coder'))).toBe(false)
    expect((await run('-p coder gateway status')).code).toBe(3)
  })

  test('--start starts it and waits until it is ready: here the built-in gateway, which says so itself', async () => {
    const { code, stdout } = await run('profile create at-once --start')
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('slot gateway-at-once: up') })
    await run('profile delete at-once --yes --keep-logs')
    expect(existsSync(join(running.home, 'logs', 'gateways', 'at-once'))).toBe(true)
  })

  test('of five that create it at once one wins, and there is one slot', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => run('profile create twin')))
    expect(all.map(({ code }) => code).sort()).toEqual([0, 1, 1, 1, 1])
    expect((await running.status()).slots.filter(({ slot }) => slot === 'gateway-twin')).toHaveLength(1)
    await run('profile delete twin --yes')
  })

  test('renaming one that runs keeps its log, its desired state, and has it running again', async () => {
    await run('profile create before')
    writeFileSync(join(profileDir('before'), 'config.yaml'), JSON.stringify({ gateway: SLEEPS }))
    await run('-p before gateway start')
    await waitFor('its first line', async () => (await run('logs before')).stdout.includes('hello from before'))
    expect(await run('profile rename before after')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('gateway up'),
    })
    expect(await slotOf('after')).toMatchObject({ state: 'up', wanted: 'up' })
    expect(readFileSync(join(profileDir('after'), 'desired_state'), 'utf8')).toBe('running\n')
    await waitFor('both lines in one log', async () => {
      const { stdout } = await run('logs after')
      return stdout.includes('hello from before') && stdout.includes('hello from after')
    })
    await waitFor('the old slot to go', async () => (await running.slot('gateway-before')) === undefined)
    await run('profile delete after --yes')
  })
})

describe('rename and delete that meet an obstacle', () => {
  test('renaming onto a name that is taken leaves the gateway as it was', async () => {
    await run('-p sleeper gateway start')
    const { pid } = await slotOf('sleeper')
    expect(await run('profile rename sleeper misconfigured')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already exists'),
    })
    expect(await slotOf('sleeper')).toMatchObject({ state: 'up', wanted: 'up', pid })
    expect(readFileSync(join(profileDir('sleeper'), 'desired_state'), 'utf8')).toBe('running\n')
    await run('-p sleeper gateway stop')
  })

  test('a rename that fails after the stop has the gateway started again, its desired state unchanged', async () => {
    // It makes the new name's directory when it gets the stop signal.
    const command = ['sh', '-c', `trap 'mkdir -p "${profileDir('loose')}"; exit' TERM; while :; do sleep 0.05; done`]
    await run('profile create stuck')
    writeFileSync(join(profileDir('stuck'), 'config.yaml'), JSON.stringify({ gateway: { ...QUICK, command } }))
    await run('-p stuck gateway start')
    const { pid } = await slotOf('stuck')
    expect((await run('profile rename stuck loose')).code).toBe(1)
    await waitFor('another process to be up', async () => {
      const slot = await slotOf('stuck')
      return slot.state === 'up' && slot.pid !== pid
    })
    expect(readFileSync(join(profileDir('stuck'), 'desired_state'), 'utf8')).toBe('running\n')
    await run('profile delete stuck --yes')
    await run('profile delete loose --yes')
  })

  test('delete does not need to write the desired state: desired_state may be a directory', async () => {
    await run('profile create wordless')
    writeFileSync(join(profileDir('wordless'), 'config.yaml'), JSON.stringify({ gateway: SLEEPS }))
    await run('-p wordless gateway start')
    rmSync(join(profileDir('wordless'), 'desired_state'))
    mkdirSync(join(profileDir('wordless'), 'desired_state', 'in-the-way'), { recursive: true })
    expect(await run('profile delete wordless --yes')).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(profileDir('wordless'))).toBe(false)
    expect(await running.slot('gateway-wordless')).toBeUndefined()
  })

  test('a directory that was moved a moment ago has no slot of its name yet, and can be deleted', async () => {
    await run('profile create moved')
    writeFileSync(join(profileDir('moved'), 'config.yaml'), JSON.stringify({ gateway: SLEEPS }))
    await run('-p moved gateway start')
    renameSync(profileDir('moved'), profileDir('arrived'))
    expect(await run('profile delete arrived --yes')).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(profileDir('arrived'))).toBe(false)
    await waitFor('the old slot to go', async () => (await running.slot('gateway-moved')) === undefined)
  })
})

describe('start, stop, restart', () => {
  test('start of one that is up and stop of one that is down succeed and change nothing', async () => {
    await run('-p sleeper gateway start')
    const { pid } = await slotOf('sleeper')
    expect(await run('-p sleeper gateway start')).toMatchObject({
      code: 0,
      stdout: `gateway-sleeper: up already, pid ${pid}\n`,
    })
    expect(JSON.parse((await run('-p sleeper gateway start --json')).stdout)).toMatchObject({
      changed: false,
      slot: { pid },
    })
    await run('-p sleeper gateway stop')
    expect(await run('-p sleeper gateway stop')).toMatchObject({ code: 0, stdout: 'gateway-sleeper: down already\n' })
  })

  test('restart gives another process, and starts one that was down', async () => {
    expect((await run('-p sleeper gateway restart')).code).toBe(0)
    const { pid } = await slotOf('sleeper')
    expect((await run('-p sleeper gateway restart')).code).toBe(0)
    expect((await slotOf('sleeper')).pid).not.toBe(pid)
    await run('-p sleeper gateway stop')
  })

  test('one that parks itself is 1 with the reason and what to do; status has it too', async () => {
    const { code, stderr } = await run('-p misconfigured gateway start')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^hermes: .*gateway-misconfigured.*78.*\n {2}next: .+\n$/s)
    const status = await run('-p misconfigured gateway status')
    expect(status.code).toBe(1)
    expect(status.stdout).toMatch(/state +parked/)
    expect((await run('status')).stdout).toContain('parked')
    await run('-p misconfigured gateway stop')
  })

  test.each([
    {
      name: 'missing',
      command: ['no-such-program'],
      first: 'gateway-missing: "no-such-program" was not found (exit code 127)',
      last: 'gateway-missing: "no-such-program" was not found (exit code 127)\n  next: Hermes keeps trying; stop it with hermes -p missing gateway stop, or correct gateway.command\n',
    },
    {
      name: 'dies-at-once',
      command: ['sh', '-c', 'exit 3'],
      first: 'gateway-dies-at-once: exited with code 3',
      last: 'gateway-dies-at-once exited with code 3, 3 times in a row\n  next: Hermes keeps trying; fix the cause (log: hermes -p dies-at-once logs), or stop it with hermes -p dies-at-once gateway stop\n',
    },
  ])('a start of one that is $name reports the first death at once, and the third one ends it with 1', async (of) => {
    const { name, command, first, last } = of
    await run(`profile create ${name}`)
    // Never ready: on a busy machine it may take longer to die than `ready_after` allows.
    const gateway = { ...QUICK, command, ready: { log: 'never' }, restart_delay: { first: '500ms', max: '1s' } }
    writeFileSync(join(profileDir(name), 'config.yaml'), JSON.stringify({ gateway }))
    const { code, stderr } = await run(`gateway start ${name}`)
    expect(code).toBe(1)
    expect(stderr).toBe(`hermes: ${first}. Hermes tries again (log: hermes -p ${name} logs)\nhermes: ${last}`)
    expect(await slotOf(name)).toMatchObject({ wanted: 'up' })
    expect((await run(`profile delete ${name} --yes`)).code).toBe(0)
  })

  test('profiles are named after the verb, several at once, and as status prints their slots', async () => {
    const started = await run('gateway start sleeper gateway-default')
    expect(started).toMatchObject({ code: 0, stderr: '' })
    expect(started.stdout).toMatch(/^gateway-sleeper: up.*\ngateway-default: up.*\n$/)
    expect((await run('gateway status sleeper')).stdout).toMatch(/state +up/)
    expect((await run('gateway stop gateway-sleeper default')).code).toBe(0)
    expect(await run('gateway start nosuch')).toMatchObject({ code: 3 })
    expect(await run('-p default gateway start sleeper')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('both name profiles'),
    })
  })

  test('one that is not ready in time is 5; --no-wait does not wait', async () => {
    const late = await run('-p never-ready gateway start --timeout 300ms')
    expect(late.code).toBe(5)
    expect(await slotOf('never-ready')).toMatchObject({ state: 'starting', wanted: 'up' })
    expect((await run('-p never-ready gateway stop')).code).toBe(0)
    expect(await run('-p never-ready gateway start --no-wait')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('starting'),
    })
    expect((await run('-p never-ready gateway stop')).code).toBe(0)
  })

  test('one that ignores TERM is killed after its stop_timeout, and stop waits for that', async () => {
    await run('-p ignores-term gateway start')
    expect(await run('-p ignores-term gateway stop')).toMatchObject({ code: 0 })
    expect(await slotOf('ignores-term')).toMatchObject({ state: 'down' })
  })

  test('--all reports each failure and ends with 1 if there was one', async () => {
    const started = await run(`gateway start --all --timeout ${stretchedMs(3_000)}ms --json`)
    expect(started.code).toBe(1)
    const results = JSON.parse(started.stdout) as readonly { slot: string; ok: boolean; error?: { code: string } }[]
    expect(Object.fromEntries(results.map(({ slot, ok, error }) => [slot, error?.code ?? ok]))).toEqual({
      'gateway-default': true,
      'gateway-sleeper': true,
      'gateway-built-in': true,
      'gateway-ignores-term': true,
      'gateway-misconfigured': 'PARKED',
      'gateway-never-ready': 'TIMED_OUT',
    })
    const ready = await run('healthcheck --ready')
    expect(ready.code).toBe(1)
    expect(ready.stdout).toMatch(/^not ready: gateway-misconfigured is parked: [^\n]+\n$/)
    expect((await run('healthcheck --ready sleeper')).code).toBe(0)
    expect((await run('gateway status --all')).code).toBe(1)

    expect((await run('gateway stop --all')).code).toBe(0)
    expect(
      (await running.status()).slots.filter(({ profile, state }) => profile !== undefined && state !== 'down'),
    ).toEqual([])
    expect(await run('healthcheck --ready')).toMatchObject({ code: 0, stdout: 'ready\n' })
    expect((await run('healthcheck --ready sleeper')).code).toBe(1)
    expect((await run('healthcheck')).code).toBe(0)
  })
})

describe('reading', () => {
  test('what scripts run all day needs neither the command parser nor the native binding', async () => {
    const copy = quickScratchDir('hermes-cli-')
    cpSync(installDir(), copy, { recursive: true })
    for (const name of ['cli.cjs', 'cli.js', 'koffi.node']) rmSync(join(copy, 'lib', name))
    const without = (line: string): Promise<Ran> =>
      runProgram([join(copy, 'bin', 'hermes'), ...line.split(' ')], {
        home: running.home,
        env: { HERMES_RUN_DIR: running.runDir },
      })
    for (const line of [
      'version',
      'healthcheck',
      'status',
      '-p sleeper gateway start',
      '-p sleeper gateway restart',
      '-p sleeper gateway status',
      '-p sleeper gateway stop',
    ])
      expect({ line, ...(await without(line)) }).toMatchObject({ line, code: 0, stderr: '' })
    // A control.
    expect((await without('profile list')).stderr).toContain('cli.cjs')
  })

  test('status says who supervises and lists every slot', async () => {
    const { code, stdout } = await run('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Manager: foreground\n/)
    for (const { slot } of (await running.status()).slots) expect(stdout).toContain(slot)
    expect(JSON.parse((await run('status --json')).stdout)).toMatchObject({
      manager: 'foreground',
      version: expect.any(String),
      pid1: false,
      identity: { uid: expect.any(Number) },
      slots: expect.any(Array),
      warnings: expect.any(Array),
    })
  })

  test('profile list shows state and wanted of each', async () => {
    await run('-p sleeper gateway start')
    const list = JSON.parse((await run('profile list --json')).stdout) as readonly { name: string }[]
    expect(list.find(({ name }) => name === 'sleeper')).toMatchObject({ state: 'up', wanted: 'up', active: false })
    expect(list[0]).toMatchObject({ name: 'default', state: 'down', wanted: 'down', active: true })
    await run('-p sleeper gateway stop')
  })

  test('logs -f prints a new line when the gateway writes one', async () => {
    const child = startProgram([program('hermes'), 'logs', '-f', 'sleeper', '-n', '0'], { home: running.home })
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    try {
      await waitFor('a line of a new process', async () => {
        await run('-p sleeper gateway restart')
        return text.includes('hello from sleeper')
      })
    } finally {
      child.kill()
      await run('-p sleeper gateway stop')
    }
  })

  test('logs supervisor and logs boot say what happened', async () => {
    expect((await run('logs supervisor -n all')).stdout).toContain('gateway-sleeper')
    expect((await run('logs boot')).stdout).toMatch(/profile=sleeper prior_state=stopped action=registered/)
  })

  test('doctor says each thing once, and tries the ports although a supervisor runs', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      await run('profile create porty')
      writeFileSync(join(profileDir('porty'), '.env'), `API_SERVER_ENABLED=1\nAPI_SERVER_PORT=${port}\n`, {
        mode: 0o600,
      })
      writeFileSync(join(profileDir('porty'), 'config.yaml'), 'gateway: {restart: sometimes}\n')
      mkdirSync(join(running.home, 'profiles', 'Bad Name'))
      await run('gateway restart porty --no-wait')
      await run('gateway start misconfigured')
      const { code, stdout } = await run('doctor --json')
      const findings = JSON.parse(stdout) as readonly { state: string; text: string; next?: string }[]
      const about = (text: string) => findings.filter((one) => one.text.includes(text))
      expect(about('gateway.restart')).toHaveLength(1)
      expect(about('Bad Name')).toHaveLength(1)
      expect(about('gateway-misconfigured')).toMatchObject([{ next: 'hermes -p misconfigured logs' }])
      expect(about(`port ${port}`)).toMatchObject([
        { state: 'fail', text: expect.stringMatching(/^port \d+ of "porty" is already in use by .+ \(pid \d+\)$/) },
      ])
      expect(code).toBe(1)
    } finally {
      server.close()
      rmSync(join(running.home, 'profiles', 'Bad Name'), { recursive: true })
      await run('gateway stop misconfigured')
      await run('profile delete porty --yes')
    }
  })

  test('doctor finds the supervisor', async () => {
    expect((await run('doctor')).stdout).toMatch(/ok +supervisor: answers at .*control\.sock: running, \d+ slots/)
  })

  test('an unknown slot of a known kind is 3', async () => {
    expect(await run('service start nothing')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no slot "service-nothing"'),
    })
  })
})

describe('gateway run', () => {
  const byHand = { HERMES_ALLOW_ROOT_GATEWAY: '1' }
  const startMain = (args: readonly string[], env: Record<string, string> = {}) => {
    // As init does it: the pid of the process that becomes the program.
    const asMain = ['sh', '-c', 'HERMES_MAIN=$$ exec "$@"', 'sh']
    const child = startProgram([...asMain, program('hermes'), ...args], {
      home: running.home,
      env: { HERMES_RUN_DIR: running.runDir, ...env },
    })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      stderr += more
    })
    const exit = new Promise<number | string>((resolve) =>
      child.on('close', (code, signal) => resolve(code ?? signal ?? '')),
    )
    return { child, stderr: () => stderr, exit: () => within('it to end', exit, { seen: () => stderr }) }
  }

  test('as main program has the slot started, says so and how to opt out, and stays until TERM; the slot goes on', async () => {
    const { child, stderr, exit } = startMain(['-p', 'sleeper', 'gateway', 'run'])
    await waitFor('the slot to be up', async () => (await slotOf('sleeper')).state === 'up')
    await waitFor('what it says', () => stderr().includes('s6 supervision'))
    expect(stderr()).toContain('--no-supervise')
    expect(stderr()).toContain('HERMES_GATEWAY_NO_SUPERVISE=1')
    expect(readFileSync(join(profileDir('sleeper'), 'desired_state'), 'utf8')).toBe('running\n')
    const { pid } = await slotOf('sleeper')
    // A Node would take 23 MB for the life of the container.
    await waitFor('it to be a shell', () => !readlinkSync(`/proc/${child.pid}/exe`).endsWith('node'))
    // The trap that follows makes it start a sleep.
    await waitFor('it to wait', () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1') !== '')
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const) child.kill(signal)
    expect(await exit()).toBe(0)
    expect((await slotOf('sleeper')).pid).toBe(pid)
    await run('-p sleeper gateway stop')
  })

  test('as main program ends by TERM at any moment, also while it becomes a shell', async () => {
    for (let afterMs = 0; afterMs < 40; afterMs += 4) {
      const { child, stderr, exit } = startMain(['-p', 'sleeper', 'gateway', 'run'])
      await waitFor('what it says', () => stderr().includes('--no-supervise'))
      setTimeout(() => child.kill('SIGTERM'), afterMs)
      // init reports both as 0: the stop was asked for.
      expect([0, 'SIGTERM']).toContain(await exit())
    }
    await run('-p sleeper gateway stop')
  })

  test('as main program leaves no process behind, also one that does not hear its signal yet', async () => {
    const bin = quickScratchDir('hermes-deaf-')
    // In place of a child that has been forked a moment ago, and has not become its program.
    const deaf = `#!/bin/sh\ntrap '' TERM\necho deaf >&2\nexec env PATH=/usr/bin:/bin sleep 100000\n`
    writeFileSync(join(bin, 'sleep'), deaf, { mode: 0o755 })
    const path = `${bin}:${dirname(process.execPath)}:${process.env.PATH}`
    const { child, stderr, exit } = startMain(['-p', 'sleeper', 'gateway', 'run'], { PATH: path })
    await waitFor('it to wait', () => stderr().includes('deaf'))
    child.kill('SIGTERM')
    // Its streams are closed, too.
    expect(await exit()).toBe(0)
    await run('-p sleeper gateway stop')
  })

  test('as main program for a profile that is not there ends with 3', async () => {
    expect(await startMain(['-p', 'nobody', 'gateway', 'run']).exit()).toBe(3)
  })

  test.each([
    [['gateway', 'run', '--no-supervise'], byHand],
    [['gateway', '--no-supervise'], byHand],
    [['gateway', 'run'], { ...byHand, HERMES_GATEWAY_NO_SUPERVISE: 'Yes' }],
  ] as const)('as main program with the opt-out is the gateway itself (%j)', async (args, env) => {
    mkdirSync(profileDir('mine'), { recursive: true })
    writeFileSync(
      join(profileDir('mine'), 'config.yaml'),
      JSON.stringify({ gateway: { command: ['sh', '-c', 'exit 42'] } }),
    )
    expect(await startMain(['-p', 'mine', ...args], env).exit()).toBe(42)
  })

  test('typed into a shell that is the main program is by hand: the mark names another pid', async () => {
    const { code, stdout } = await runProgram(
      [
        'sh',
        '-c',
        `HERMES_MAIN=$$; export HERMES_MAIN; "${program('hermes')}" -p mine gateway run; echo "ended with $?"`,
      ],
      {
        home: running.home,
        env: { HERMES_RUN_DIR: running.runDir, ...byHand },
      },
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'ended with 42\n' })
  })

  test('by hand is refused while the slot runs, naming the pid, whatever the slot runs', async () => {
    for (const name of ['sleeper', 'built-in']) {
      await run(`-p ${name} gateway start`)
      const { pid } = await slotOf(name)
      expect(await run(`-p ${name} gateway run`, byHand)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`pid ${pid}`),
      })
      await run(`-p ${name} gateway stop`)
    }
  })

  test('the built-in gateway in its slot announces its readiness, and a stop lets it finish', async () => {
    expect((await run('-p built-in gateway start')).code).toBe(0)
    const { pid } = await slotOf('built-in')
    expect(JSON.parse(readFileSync(join(profileDir('built-in'), 'gateway.pid'), 'utf8')).pid).toBe(pid)
    expect((await run('-p built-in gateway stop')).code).toBe(0)
    expect((await run('-p built-in logs agent')).stdout).toMatch(/SIGTERM: draining\n.*stopped\n$/)
    expect(readdirSync(profileDir('built-in'))).not.toContain('gateway.pid')
  })

  test('a stale gateway.pid does not keep it down', async () => {
    appendFileSync(join(profileDir('built-in'), 'gateway.pid'), '{"pid":1,"start_time":1}')
    expect((await run('-p built-in gateway start')).code).toBe(0)
    await run('-p built-in gateway stop')
  })
})
