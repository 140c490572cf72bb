import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { dockerCommand, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'

test('without arguments it supervises until it is stopped, and ends with 0', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', (slot) => slot.state === 'down')
  expect((await box.stop()).code).toBe(0)
})

test('without arguments it says what runs, what it waits for and what to type, and those commands work', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives() } })
  await box.saw('supervising /opt/data without a main program: gateways run until the container is stopped')
  const next = await box.saw('next: docker exec')
  const [start = '', status = ''] = next.match(/docker exec \S+ hermes (gateway start|status)/g) ?? []
  const type = (command: string) => dockerCommand(command.split(' ').slice(1))
  expect(start).toMatch(/gateway start$/)
  expect(await type(start)).toMatchObject({ code: 0, stdout: expect.stringContaining('gateway-default: up') })
  expect(await type(status)).toMatchObject({ code: 0, stdout: expect.stringContaining('gateway-default') })
})

test('a container that has a main program says nothing of what to type', async () => {
  await using box = await startContainer({ command: ['sh', '-c', 'echo hi'] })
  expect(await box.exit()).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('hi\n')
  expect(stderr).not.toMatch(/supervising|next: |gateway start/)
})

test('docker exec -i takes the name that confirms a deletion from standard input, and nothing but that name', async () => {
  await using box = await startContainer({ files: { 'profiles/coder/config.yaml': lives() } })
  await box.slot('gateway-coder', () => true)
  const remove = (input: string) =>
    dockerCommand(['exec', '-i', box.id, 'hermes', 'profile', 'delete', 'coder'], { input })
  expect(await remove('codr\n')).toMatchObject({ code: 1, stderr: expect.stringContaining('coder') })
  expect(box.file('profiles/coder/config.yaml')).toBe(lives())
  expect((await remove('coder\n')).code).toBe(0)
  expect(box.file('profiles/coder/config.yaml')).toBeUndefined()
})

test('gateway run starts the default gateway, says so, and outlives it', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'], files: { 'config.yaml': lives() } })
  const { pid } = await box.up('gateway-default')
  await box.kill(pid)
  await box.slot('gateway-default', (slot) => slot.state === 'up' && slot.pid !== pid)
  expect((await box.logs()).stderr).toContain('--no-supervise')
  expect(box.file('desired_state')).toBe('running\n')
  expect((await box.stop()).code).toBe(0)
})

test('-p NAME gateway run starts that gateway and no other', async () => {
  await using box = await startContainer({
    command: ['-p', 'coder', 'gateway', 'run'],
    files: { 'config.yaml': lives(), 'profiles/coder/config.yaml': lives() },
  })
  await box.up('gateway-coder')
  await box.slot('gateway-default', (slot) => slot.state === 'down')
})

test.each([
  ['gateway', 'run', '--no-supervise'],
  ['gateway', '--no-supervise'],
])('%s %s %s is the gateway itself: the container has its exit code, the slot stays down', async (...command) => {
  await using box = await startContainer({
    command,
    files: { 'config.yaml': gatewayOf('/bin/sh', '-c', 'echo mine; exit 9') },
  })
  expect(await box.exit()).toBe(9)
  expect((await box.logs()).stdout).toContain('mine')
})

test('HERMES_GATEWAY_NO_SUPERVISE=1 does the same', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    env: { HERMES_GATEWAY_NO_SUPERVISE: '1' },
    files: { 'config.yaml': lives() },
  })
  await box.saw('alive')
  const { reason } = await box.slot('gateway-default', (slot) => slot.state === 'down')
  expect(reason).toContain("the container's main program")
})

test('a gateway that is the main program is shown as such, and start, stop and restart name the command to use instead', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run', '--no-supervise'],
    files: { 'config.yaml': lives(), desired_state: 'running\n' },
  })
  await box.saw('alive')
  expect(await box.hermes('gateway', 'status')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("runs as the container's main program (gateway run --no-supervise)"),
  })
  for (const verb of ['start', 'stop', 'restart']) {
    const { code, stderr } = await box.hermes('gateway', verb)
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`cannot ${verb} gateway-default:`) })
    expect(stderr).toContain(`docker ${verb} NAME`)
  }
  // s6's word is a start likewise.
  await box.ok('/command/s6-svc', '-u', '/run/service/gateway-default')
  await box.saw('gateway-default is not started')
  await box.slot('gateway-default', (slot) => slot.state === 'down')
  const { stdout, stderr } = await box.logs()
  expect(stdout.match(/alive/g)).toHaveLength(1)
  expect(stderr).not.toContain('holds it')
})

test.each([
  { command: ['sh', '-c', 'exit 42'], code: 42 },
  { command: ['sleep', '1'], code: 0 },
  { command: ['sh', '-c', 'kill -KILL $$'], code: 137 },
  { command: ['sh', '-c', 'kill -SEGV $$'], code: 139 },
  { command: ['/bin/true'], code: 0 },
])("the main program's end is the container's: $command ends with $code", async ({ command, code }) => {
  await using box = await startContainer({ command })
  expect(await box.exit()).toBe(code)
})

test.each([{ command: ['--version'] }, { command: ['version'] }, { command: ['bash', '-lc', 'hermes version'] }])(
  '$command prints the version',
  async ({ command }) => {
    await using box = await startContainer({ command })
    expect(await box.exit()).toBe(0)
    expect((await box.logs()).stdout).toMatch(/^hermes \d+\.\d+\.\d+$/m)
  },
)

test('an unknown command is a usage error that names it', async () => {
  await using box = await startContainer({ command: ['frobnicate'] })
  expect(await box.exit()).toBe(2)
  expect((await box.logs()).stderr).toContain('frobnicate')
})

test.each([
  {
    command: ['/no/such/program', 'x'],
    code: 127,
    says: /the main program \/no\/such\/program does not exist\. .*image/,
  },
  { command: ['./setup'], code: 127, says: /the main program \/tmp\/setup does not exist/ },
  { command: ['/etc/passwd'], code: 126, says: /\/etc\/passwd is not executable \(mode 0644\)\. run chmod \+x/ },
  { command: ['/etc'], code: 126, says: /\/etc is not a file/ },
])(
  'a main program that cannot be one is refused before it is tried: $command ends with $code',
  async ({ command, code, says }) => {
    await using box = await startContainer({ command, workdir: '/tmp' })
    expect(await box.exit()).toBe(code)
    const { stdout, stderr } = await box.logs()
    expect(stdout).toBe('')
    expect(stderr.split('\n').filter((line) => line.includes('error'))).toEqual([expect.stringMatching(says)])
  },
)

describe('a directory that the user of the container may not enter', () => {
  /** With --user and a PATH that begins with such a directory. */
  async function ended(...command: string[]): Promise<{ readonly code: number; readonly output: string }> {
    using home = keptHome()
    chownSync(home.path, 10_000, 10_000)
    const env = { PATH: '/root/bin:/usr/local/bin:/usr/bin:/bin' }
    await using box = await startContainer({ command, user: '10000:10000', env, home: home.path })
    const code = await box.exit()
    const { stdout, stderr } = await box.logs()
    return { code, output: stdout + stderr }
  }

  test('hides no program behind it on PATH', async () => {
    expect(await ended('echo', 'it runs')).toMatchObject({ code: 0, output: expect.stringContaining('it runs\n') })
  })

  test('does not make a program of an unknown command', async () => {
    expect(await ended('frobnicate')).toMatchObject({
      code: 2,
      output: expect.stringContaining("unknown command 'frobnicate'"),
    })
  })

  test('is the reason that is given for a main program in it', async () => {
    const reason = 'the main program /root/program cannot be reached. uid 10000 may not enter one of its directories'
    expect(await ended('/root/program')).toMatchObject({ code: 126, output: expect.stringContaining(reason) })
  })

  test('is the reason that is given for a gateway in it', async () => {
    const files = { 'config.yaml': gatewayOf('/root/bin/gateway'), desired_state: 'running\n' }
    await using box = await startContainer({ files })
    await box.saw('/root/bin/gateway cannot be reached: this user may not enter one of its directories')
    expect((await box.slot('gateway-default', ({ reason }) => reason !== undefined)).reason).toContain('was not found')
  })

  test('is the reason that is given for an agent in it', async () => {
    await using box = await startContainer({ files: { 'config.yaml': 'agent: {command: [/root/agent]}\n' } })
    await box.slot('gateway-default', () => true)
    const { code, stderr } = await box.hermes('chat', '-q', 'hello')
    expect(code).not.toBe(0)
    expect(stderr).toContain('/root/agent cannot be started: this user may not enter one of its directories')
  })
})

test.each([
  { what: 'name', argument: 'x'.repeat(300), code: 2 },
  { what: 'path', argument: `/${'x'.repeat(300)}`, code: 127 },
])('a command that is too long for the $what of a file ends with $code', async ({ argument, code }) => {
  await using box = await startContainer({ command: [argument] })
  expect(await box.exit()).toBe(code)
})

test.each([
  { what: 'an interpreter that is not there', text: '#!/bin/sh\r\necho hello\r\n', mode: 0o755, code: 127 },
  { what: 'rights for root only', text: '#!/bin/sh\necho hello\n', mode: 0o700, code: 126 },
])('a main program with $what: the line says what else to look at', async ({ text, mode, code }) => {
  using home = keptHome()
  const file = join(home.path, 'tool')
  writeFileSync(file, text, { mode })
  await using box = await startContainer({ command: ['/tool'], mounts: [[file, '/tool', 'ro']] })
  expect(await box.exit()).toBe(code)
  expect((await box.logs()).stderr).toContain('the main program /tool cannot be run by uid 10000: may it, and is the')
})

test('it runs as hermes, in the directory docker run -w names, with the environment it was given', async () => {
  await using box = await startContainer({
    command: ['sh', '-c', 'id -un; id -u; pwd; echo "$HOME $USER $LOGNAME $MINE"; echo "$NODE_OPTIONS"'],
    workdir: '/tmp',
    env: { MINE: 'kept', NODE_OPTIONS: '--max-old-space-size=99' },
  })
  expect(await box.exit()).toBe(0)
  expect((await box.logs()).stdout).toBe('hermes\n10000\n/tmp\n/opt/data hermes hermes kept\n--max-old-space-size=99\n')
})

test.each(['USR1', 'USR2'])('%s reaches the main program', async (signal) => {
  const script = `trap "echo got ${signal}; exit 0" ${signal}; echo ready; while :; do sleep 0.1; done`
  await using box = await startContainer({ command: ['sh', '-c', script] })
  await box.saw('ready')
  await box.docker('kill', '--signal', signal)
  expect(await box.exit()).toBe(0)
  await box.saw(`got ${signal}`)
})

test.each([
  { what: 'dies of our signal', script: 'echo ready; exec sleep 1000', code: 0 },
  { what: 'exits 0', script: 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done', code: 0 },
  { what: 'exits 3 by itself', script: 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done', code: 3 },
  { what: 'has to be killed', script: 'trap "" TERM; echo ready; while :; do sleep 0.1; done', code: 137 },
])('docker stop of a main program that $what ends with $code', async ({ script, code }) => {
  await using box = await startContainer({ command: ['sh', '-c', script], env: { HERMES_STOP_TIMEOUT: '3' } })
  await box.saw('ready')
  expect((await box.stop()).code).toBe(code)
})

test('under docker run --init everything works too, and says whose PID 1 it is', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'], init: true, files: { 'config.yaml': lives() } })
  const { pid } = await box.up('gateway-default')
  await box.kill(pid)
  await box.slot('gateway-default', (slot) => slot.state === 'up' && slot.pid !== pid)
  expect(await box.status()).toMatchObject({ pid1: false })
  expect((await box.stop()).code).toBe(0)
})

test.each([
  { entrypoint: ['/opt/hermes/docker/entrypoint.sh'], command: ['sh', '-c', 'exit 7'] },
  { entrypoint: ['/usr/bin/tini', '-g', '--', '/opt/hermes/docker/entrypoint.sh'], command: ['sh', '-c', 'exit 7'] },
  { entrypoint: ['/usr/bin/tini', '-sv', '-p', 'TERM', '-e', '143', '--'], command: ['sh', '-c', 'exit 7'] },
  { entrypoint: ['/usr/bin/tini', '--'], command: ['/init', 'sh', '-c', 'exit 7'] },
  { entrypoint: ['/init'], command: ['/opt/hermes/docker/main-wrapper.sh', 'sh', '-c', 'exit 7'] },
])('an old template with the entrypoint $entrypoint still works', async ({ entrypoint, command }) => {
  await using box = await startContainer({ entrypoint, command })
  expect(await box.exit()).toBe(7)
})

test('an old template that calls the wrapper with the arguments of hermes gets hermes', async () => {
  await using box = await startContainer({
    entrypoint: ['/init'],
    command: ['/opt/hermes/docker/main-wrapper.sh', 'version'],
  })
  expect(await box.exit()).toBe(0)
  expect((await box.logs()).stdout).toMatch(/^hermes \d+\.\d+\.\d+\n/)
})

test.each(['USR1', 'USR2', 'HUP', 'WINCH'] as const)(
  'docker kill -s %s of a container that runs gateway run ends nothing and opens no debugger',
  async (signal) => {
    await using box = await startContainer({ command: ['gateway', 'run'] })
    const { pid } = await box.up('gateway-default')
    await box.docker('kill', '--signal', signal)
    // The gateway itself gets it as well: s6-svc -1 and -2 send it there.
    if (signal.startsWith('USR')) await box.kill(pid, signal)
    await box.ok('hermes', 'profile', 'create', 'later', '--start')
    expect((await box.up('gateway-default')).pid).toBe(pid)
    const { stderr } = await box.logs()
    expect(stderr).not.toContain('Debugger')
    expect((await box.stop()).code).toBe(0)
  },
)
