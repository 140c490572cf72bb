// Files of profiles that a boot reads: states written by tools and by earlier boots, pid files, copies, the end of the
// last life.
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

/** The lines of the last boot by profile, without stamp and name. */
async function lastBoot(box: Box, boots: number): Promise<Readonly<Record<string, string>>> {
  const lines = await waitFor(`boot ${boots} to be logged`, () => {
    const all = (box.file('logs/container-boot.log') ?? '').split('\n').slice(0, -1)
    return all.filter((line) => line.includes(' profile=default ')).length >= boots && all
  })
  const from = lines.findLastIndex((line) => line.includes(' profile=default '))
  return Object.fromEntries(
    lines.slice(from).map((line) => {
      const [, name = '', rest = ''] = /profile=(\S+) (.*)$/.exec(line) ?? []
      return [name, rest]
    }),
  )
}

const dirOf = (box: Box, profile: string): string => join(box.home, profile === 'default' ? '' : `profiles/${profile}`)
const isDown = (box: Box, profile: string): Promise<unknown> =>
  box.slot(`gateway-${profile}`, ({ state }) => state === 'down')

test('a desired state written into gateway_state.json of a stopped container overrules desired_state, also at the boot after', async () => {
  const names = ['halted', 'called', 'left']
  await using box = await startContainer({
    files: Object.fromEntries(names.map((name) => [`profiles/${name}/config.yaml`, lives()])),
  })
  await isDown(box, 'left')
  for (const name of ['halted', 'left']) await box.ok('hermes', '-p', name, 'gateway', 'start')
  for (const verb of ['start', 'stop']) await box.ok('hermes', '-p', 'called', 'gateway', verb)
  await box.docker('stop')
  writeFileSync(join(dirOf(box, 'halted'), 'gateway_state.json'), '{"gateway_state":"stopped"}')
  const called = join(dirOf(box, 'called'), 'gateway_state.json')
  writeFileSync(called, JSON.stringify({ ...JSON.parse(readFileSync(called, 'utf8')), desired_state: 'running' }))
  await box.docker('start')
  expect(await lastBoot(box, 2)).toMatchObject({
    halted: expect.stringMatching(/^prior_state=stopped action=registered /),
    called: expect.stringMatching(/^prior_state=running action=started /),
    left: 'prior_state=running action=started prior_exit=clean',
  })
  await box.up('gateway-called')
  await isDown(box, 'halted')
  await box.docker('restart')
  expect(await lastBoot(box, 3)).toMatchObject({
    halted: expect.stringMatching(/^prior_state=stopped action=registered /),
    called: 'prior_state=running action=started prior_exit=clean',
    left: 'prior_state=running action=started prior_exit=clean',
  })
})

test('a pid file without a start time stays only while that process is the profile’s gateway', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    // 1 lives, and is not a gateway.
    files: {
      'gateway.pid': '{"pid":99999}',
      'profiles/bare/gateway.pid': '1',
      'profiles/one/gateway.pid': '{"pid":1}',
    },
  })
  await box.up('gateway-default')
  for (const name of ['bare', 'one']) await box.ok('hermes', '-p', name, 'gateway', 'start')
  expect((await box.logs()).stderr).not.toContain('holds it')
  const { pid } = await box.up('gateway-one')
  // Another program's gateway writes no start time; it is recognised all the same.
  await box.ok('sh', '-c', `echo '{"pid":${pid}}' >/opt/data/profiles/one/gateway.pid`)
  const second = await box.exec(['env', 'HERMES_SUPERVISED=1', 'hermes', '-p', 'one', 'gateway', 'run'])
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(`pid ${pid} holds`) })
})

test('a copy made while the container runs is down; it forgets what was wanted of the original, whose gateway is not its own', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'] })
  await box.up('gateway-default')
  await box.ok('hermes', 'profile', 'create', 'src', '--start')
  const original = await box.up('gateway-src')
  cpSync(dirOf(box, 'src'), dirOf(box, 'copy'), { recursive: true, preserveTimestamps: true })
  await box.ok('chown', '-R', 'hermes:', '/opt/data/profiles/copy')
  await isDown(box, 'copy')
  await box.docker('restart')
  expect(await lastBoot(box, 2)).toMatchObject({
    src: 'prior_state=running action=started prior_exit=clean',
    copy: expect.stringMatching(/action=registered/),
  })
  await box.up('gateway-src')
  await isDown(box, 'copy')
  await box.ok('hermes', '-p', 'copy', 'gateway', 'start')
  expect((await box.up('gateway-src')).pid).not.toBe(original.pid)
})

test('copies made while it is stopped are down and void; what was renamed, moved or restored is as it was', async () => {
  const names = ['src', 'moved']
  await using box = await startContainer({
    command: ['gateway', 'run'],
    files: { 'config.yaml': lives(), ...Object.fromEntries(names.map((n) => [`profiles/${n}/config.yaml`, lives()])) },
  })
  await box.up('gateway-default')
  for (const name of names) await box.ok('hermes', '-p', name, 'gateway', 'start')
  await box.docker('stop')
  const copy = (from: string, to: string): void => cpSync(dirOf(box, from), dirOf(box, to), { recursive: true })
  copy('src', 'one')
  copy('src', 'two')
  // The default profile's directory holds the others.
  for (const file of ['config.yaml', 'gateway_state.json', 'desired_state'])
    cpSync(join(box.home, file), join(dirOf(box, 'third'), file))
  renameSync(dirOf(box, 'moved'), dirOf(box, 'elsewhere'))
  // A restore: new inodes, the same name.
  copy('src', '.restored')
  renameSync(dirOf(box, 'src'), dirOf(box, '.old'))
  renameSync(dirOf(box, '.restored'), dirOf(box, 'src'))
  await box.docker('start')
  const started = expect.stringMatching(/^prior_state=running action=started prior_exit=clean$/)
  const down = 'prior_state=none action=registered prior_exit=unknown'
  const { default: first, ...others } = await lastBoot(box, 2)
  expect(first).toMatch(/action=started/)
  expect(others).toEqual({ src: started, elsewhere: started, one: down, two: down, third: down })
  for (const [name, original] of [
    ['one', 'src'],
    ['third', 'default'],
  ])
    await box.saw(`the profile ${name} is a copy of ${original}`)
  expect(box.file('profiles/one/desired_state')).toBeUndefined()
  // From now on they are profiles of their own.
  await box.ok('hermes', '-p', 'one', 'gateway', 'start')
  await box.docker('restart')
  expect(await lastBoot(box, 3)).toMatchObject({ src: started, elsewhere: started, one: started })
})

test('prior_exit says of each slot how its own last process ended', async () => {
  const exits = (code: number): string => gatewayOf('/bin/sh', '-c', `exit ${code}`)
  await using box = await startContainer({
    files: {
      'profiles/runs/config.yaml': lives(),
      'profiles/stopped/config.yaml': lives(),
      'profiles/loops/config.yaml': `${exits(3)}  restart_delay: {first: 1h, max: 1h}\n`,
      'profiles/parked/config.yaml': exits(78),
      'profiles/gaveup/config.yaml': `${exits(3)}  give_up_after: {deaths: 1, within: 1h}\n`,
      'profiles/ended/config.yaml': `${exits(3)}  restart: never\n`,
      'profiles/done/config.yaml': `${exits(0)}  restart: never\n`,
    },
  })
  await isDown(box, 'runs')
  const start = (name: string): Promise<unknown> =>
    box.exec([
      'hermes',
      '-p',
      name,
      'gateway',
      'start',
      ...(name === 'runs' || name === 'stopped' ? [] : ['--no-wait']),
    ])
  for (const name of ['runs', 'stopped', 'loops', 'parked', 'gaveup', 'ended', 'done']) await start(name)
  await box.ok('hermes', '-p', 'stopped', 'gateway', 'stop')
  await box.slot('gateway-loops', ({ state }) => state === 'backoff')
  for (const name of ['parked', 'gaveup']) await box.slot(`gateway-${name}`, ({ state }) => state === 'parked')
  for (const name of ['ended', 'done']) await box.slot(`gateway-${name}`, (slot) => slot.reason !== undefined)
  await box.docker('stop')
  await box.docker('start')
  const boot = await lastBoot(box, 2)
  const exit = Object.fromEntries(
    Object.entries(boot).map(([name, line]) => [name, /prior_exit=(\w+)/.exec(line)?.[1]]),
  )
  expect(exit).toMatchObject({
    runs: 'clean',
    stopped: 'clean',
    loops: 'unclean',
    parked: 'clean',
    gaveup: 'unclean',
    ended: 'unclean',
    done: 'clean',
  })
})
