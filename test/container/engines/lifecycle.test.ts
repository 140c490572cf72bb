import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const bootLog = (box: Box): string[] => (box.file('logs/container-boot.log') ?? '').split('\n').slice(0, -1)
/** The lines of the last boot without their stamps. */
const lastBoot = (box: Box, lines: number): string[] =>
  bootLog(box)
    .slice(-lines)
    .map((line) => line.replace(/^\S+ /, ''))

test('create, start, kill -9: the gateway comes back with a new pid', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'], files: { 'config.yaml': lives() } })
  await box.up('gateway-default')
  await box.ok('hermes', 'profile', 'create', 'coder')
  writeFileSync(join(box.home, 'profiles/coder/config.yaml'), lives('coder lives'))
  await box.ok('hermes', '-p', 'coder', 'gateway', 'start')
  const { pid } = await box.up('gateway-coder')
  await box.kill(pid)
  const again = await box.slot('gateway-coder', (slot) => slot.state === 'up' && slot.pid !== pid)
  expect(again.lastDeath).toMatchObject({ signal: 'KILL' })
})

test.each([
  { how: 'docker restart', priorExit: 'clean', again: (box: Box) => box.docker('restart') },
  {
    how: 'docker kill and docker start',
    priorExit: 'unclean',
    again: async (box: Box) => {
      await box.docker('kill')
      await box.docker('start')
    },
  },
])(
  '$how brings back what ran, leaves down what was stopped, and logs prior_exit=$priorExit',
  async ({ again, priorExit }) => {
    await using box = await startContainer({
      files: { 'config.yaml': lives(), 'profiles/on/config.yaml': lives(), 'profiles/off/config.yaml': lives() },
    })
    await box.slot('gateway-on', (slot) => slot.state === 'down')
    await box.ok('hermes', '-p', 'on', 'gateway', 'start')
    await box.ok('hermes', '-p', 'off', 'gateway', 'start')
    await box.ok('hermes', '-p', 'off', 'gateway', 'stop')
    await again(box)
    await waitFor('the second boot to be logged', () => bootLog(box).length >= 6)
    await box.up('gateway-on')
    await box.slot('gateway-off', (slot) => slot.state === 'down')
    await box.slot('gateway-default', (slot) => slot.state === 'down')
    expect(bootLog(box).every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z profile=/.test(line))).toBe(true)
    const [first, off, on] = lastBoot(box, 3)
    expect(first).toMatch(/^profile=default prior_state=\S+ action=registered prior_exit=\S+$/)
    expect(off).toMatch(/^profile=off prior_state=stopped action=registered prior_exit=\S+$/)
    expect(on).toBe(`profile=on prior_state=running action=started prior_exit=${priorExit}`)
  },
)

test('a command right after docker restart waits for the new boot, though /run still holds what the last one left', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives() } })
  await box.slot('gateway-default', () => true)
  // So slow that the command comes before the boot is over.
  await box.docker('update', '--cpus', '0.2')
  for (let time = 0; time < 3; time++) {
    await box.docker('restart')
    expect(await box.hermes('status')).toMatchObject({ code: 0 })
  }
})

test('the first boot: default first, then by name; an entry that is not a profile is skipped and reported', async () => {
  await using box = await startContainer({
    files: {
      'profiles/zoe/config.yaml': '',
      'profiles/anna/config.yaml': '',
      'profiles/default/config.yaml': '',
      'profiles/No Good/config.yaml': '',
    },
  })
  await waitFor('the boot to be logged', () => bootLog(box).length >= 4)
  const lines = lastBoot(box, 4)
  expect(lines[0]).toBe('profile=default prior_state=none action=registered prior_exit=unknown')
  expect(lines.filter((line) => line.includes('action=registered'))).toEqual([
    'profile=default prior_state=none action=registered prior_exit=unknown',
    'profile=anna prior_state=none action=registered prior_exit=unknown',
    'profile=zoe prior_state=none action=registered prior_exit=unknown',
  ])
  const skipped = lines.filter((line) => line.includes('action=skipped'))
  expect(skipped).toEqual([expect.stringMatching(/^profile="No Good" .* reason=".+"$/)])
  // The default profile has its line already; a directory of that name belongs to no profile.
  await box.saw(/profiles\/default is skipped/)
})

test('HERMES_GATEWAY_BOOTSTRAP_STATE=running starts the default gateway of a new volume, and only of a new one', async () => {
  const options = { env: { HERMES_GATEWAY_BOOTSTRAP_STATE: 'running' } }
  await using box = await startContainer({ ...options, files: { 'config.yaml': lives() } })
  await box.up('gateway-default')
  await using other = await startContainer({
    ...options,
    files: { 'config.yaml': lives(), 'gateway_state.json': '{"gateway_state":"stopped"}' },
  })
  await other.slot('gateway-default', (slot) => slot.state === 'down')
})

test('a gateway_state.json of an older version decides where there is no desired_state', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': lives(),
      'gateway_state.json': '{"gateway_state":"draining","pid":4711,"mine":"kept"}',
      'gateway.pid': '4711',
      'processes.json': '{}',
    },
  })
  await box.up('gateway-default')
  expect(lastBoot(box, 1)).toEqual(['profile=default prior_state=draining action=started prior_exit=unknown'])
  const state = await waitFor('gateway_state.json to say running', () => {
    const seen = JSON.parse(box.file('gateway_state.json') ?? '{}') as { gateway_state?: string }
    return seen.gateway_state === 'running' && seen
  })
  expect(state).toMatchObject({ mine: 'kept' })
  expect(box.file('processes.json')).toBeUndefined()
  expect(box.file('gateway.pid')?.trim()).not.toBe('4711')
})

test('every service has finished its work when the container is gone', async () => {
  const graceful = gatewayOf(
    '/bin/sh',
    '-c',
    'trap "sleep 0.5; echo done; exit 0" TERM; echo ready; while :; do sleep 0.1; done',
  )
  await using box = await startContainer({ files: { 'config.yaml': graceful, desired_state: 'running\n' } })
  await box.saw('ready')
  expect((await box.stop()).code).toBe(0)
  await box.saw('done')
  expect(box.file('logs/gateways/default/current')).toMatch(/Z done\n$/)
})

test('an orphan of docker exec is gone within a second', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  const pid = (await box.ok('sh', '-c', '(sleep 0.2 & echo $!)')).trim()
  const alive = async (): Promise<boolean> => (await box.exec(['test', '-d', `/proc/${pid}`])).code === 0
  await waitFor('the orphan to be reaped', async () => !(await alive()), { deadlineMs: 1500 })
  // A command of the engine's, such as the health check, is one until the engine has looked.
  await waitFor('no zombie', async () => {
    const { stdout } = await box.exec(['sh', '-c', 'cat /proc/[0-9]*/status 2>/dev/null'])
    return stdout !== '' && !stdout.includes('Z (zombie)')
  })
})

test('a pause uses up no deadline: not start_timeout, nor a wait of the command line', async () => {
  const etc = scratchDir('hermes-pause-')
  chmodSync(etc, 0o755)
  const steps = 'echo migrate begins; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.4; done; echo migrate ends'
  // More on a busy machine. The pause has to be longer than this.
  const allowedMs = stretchedMs(7000)
  const migrate = { command: ['/bin/sh', '-c', steps], oneshot: true, start_timeout: `${allowedMs}ms` }
  const late = {
    command: ['/bin/sh', '-c', 'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo ready; exec sleep 1000'],
    user: 'hermes',
    start: false,
    ready: { log: 'ready' },
  }
  writeFileSync(join(etc, 'services.yaml'), JSON.stringify({ services: { migrate, late } }), { mode: 0o644 })
  await using box = await startContainer({
    command: ['sh', '-c', 'echo main runs; exec sleep 1000'],
    mounts: [[etc, '/etc/hermes', 'ro']],
  })
  await box.saw('migrate begins')
  const waits = box.exec(['/command/s6-svwait', '-u', '-t', `${allowedMs}`, '/run/service/late'])
  await waitFor('it to listen', async () => /ftrig1/.test(await box.ok('ls', '/run/service/late/event')))
  await box.docker('pause')
  // The machine's own time has to pass: longer than what is allowed.
  await new Promise((resolve) => setTimeout(resolve, allowedMs + 1000))
  await box.docker('unpause')
  await box.saw('main runs')
  await box.ok('sh', '-c', 'touch /tmp/go; hermes service start late')
  expect(await waits).toMatchObject({ code: 0 })
})
