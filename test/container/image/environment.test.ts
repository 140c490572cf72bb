// The container's environment arrives as it was given: any name without "=", any bytes.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gatewayOf, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'

const GIVEN = {
  'cluster.name': 'blue\n',
  'node-role': "it's\n\nred",
  '1ST': 'one',
  OPTIND: 'text',
  IFS: 'x',
  PWD: '/nowhere',
  OLDPWD: '/before',
  SHLVL: '7',
  PPID: '1',
  UID: '3',
  _: 'under',
  NODE_OPTIONS: '--title=a',
  LINENO: 'line',
  EMPTY: '',
}
const asHex = (text: string | Buffer): string => Buffer.from(text).toString('hex')
/** Each variable of its own process, in hex: a program for Node, which no shell starts. */
const show = `for (const entry of require('node:fs').readFileSync('/proc/self/environ', 'latin1').split('\\0')) {
  const at = entry.indexOf('=')
  if (at > 0) console.log(process.argv[2] ?? 'hook', entry.slice(0, at), Buffer.from(entry.slice(at + 1), 'latin1').toString('hex'))
}
if (process.argv[3] === 'stay') setInterval(() => undefined, 1000)`

/** Root's programs go without it (src/system/programs/own-node.ts). */
const OF_OTHERS = ['OPTIND', 'NODE_OPTIONS']

test('names that no shell knows, names that every shell interprets and bytes that are not text reach main program, slots, services and hooks', async () => {
  const dir = scratchDir('hermes-environment-')
  const hook = '#!/bin/sh\nprintf "p\\344ss\\303" >/run/s6/container_environment/LATIN\n'
  writeFileSync(join(dir, '10-hook'), hook)
  writeFileSync(join(dir, '20-show'), `#!/usr/bin/env node\n${show}`)
  writeFileSync(join(dir, 'show.js'), show)
  writeFileSync(
    join(dir, 'services.yaml'),
    'services:\n  seen:\n    command: [node, /opt/data/show.js, service, stay]\n    user: hermes\n' +
      '  roots:\n    command: [node, /etc/show.js, root, stay]\n',
  )
  for (const path of [dir, join(dir, '10-hook'), join(dir, '20-show')]) chmodSync(path, 0o755)
  await using box = await startContainer({
    command: ['node', '/opt/data/show.js', 'main', 'stay'],
    env: GIVEN,
    mounts: [
      [join(dir, '10-hook'), '/etc/cont-init.d/10-hook', 'ro'],
      [join(dir, '20-show'), '/etc/cont-init.d/20-show', 'ro'],
      [join(dir, 'show.js'), '/etc/show.js', 'ro'],
      [join(dir, 'services.yaml'), '/etc/hermes/services.yaml', 'ro'],
    ],
    files: {
      'show.js': show,
      'config.yaml': gatewayOf('node', '/opt/data/show.js', 'slot', 'stay'),
      desired_state: 'running\n',
    },
  })
  const bytes = { ...GIVEN, LATIN: Buffer.from('70e47373c3', 'hex') }
  const given = Object.entries(bytes)
  const ofRoot = given.filter(([name]) => !OF_OTHERS.includes(name))
  for (const who of ['main', 'service', 'slot', 'root', 'hook'])
    for (const [name, value] of who === 'root' || who === 'hook' ? ofRoot : given)
      await box.saw(new RegExp(`^${who} ${name} ${asHex(value)}$`))
})

test('s6-setuidgid and with-contenv keep them, too', async () => {
  await using box = await startContainer({ env: { 'cluster.name': 'two\nlines\n' } })
  await box.slot('gateway-default', () => true)
  const print = ['node', '-p', 'JSON.stringify([process.env["cluster.name"], process.env["a-b"]])']
  expect(await box.ok('/command/with-contenv', ...print)).toBe('["two\\nlines\\n",null]\n')
  expect(await box.ok('env', 'a-b=c', '/command/s6-setuidgid', 'hermes', ...print)).toBe('["two\\nlines\\n","c"]\n')
})

test('with an OPTIND at which dash ends, docker exec, the health check, the tools of s6 and the old entry points work, and programs get it', async () => {
  const print = ['node', '-p', '"OPTIND " + process.env.OPTIND']
  await using box = await startContainer({
    entrypoint: ['/opt/hermes/docker/entrypoint.sh'],
    command: ['node', '-e', 'console.log("main", process.env.OPTIND); setInterval(() => undefined, 1000)'],
    env: { OPTIND: 'text' },
    files: {
      'config.yaml': `${gatewayOf('sleep', '1000000')}agent:\n  command: ${JSON.stringify(print)}\n`,
      desired_state: 'running\n',
    },
  })
  await box.saw('main text')
  await box.up('gateway-default')
  expect(await box.ok('hermes', 'healthcheck')).toContain('healthy')
  expect(await box.ok('hermes', 'chat', '-q', 'hello')).toContain('OPTIND text')
  expect(await box.ok('env', 'EDITOR=true', 'hermes', 'config', 'edit')).not.toContain('Illegal')
  expect(await box.ok('s6-svstat', '/run/service/gateway-default')).toContain('up')
  expect(await box.ok('/command/printcontenv', 'OPTIND')).toBe('text\n')
  expect(await box.ok('/command/s6-setuidgid', 'hermes', ...print)).toBe('OPTIND text\n')
  expect(await box.ok('/command/s6-setuidgid', 'hermes', '/command/with-contenv', ...print)).toBe('OPTIND text\n')
  // Programs that root runs do not get it.
  expect(await box.ok('/command/with-contenv', ...print)).toBe('OPTIND undefined\n')
  // The stop that it asks for may end it before it ends itself.
  await box.exec(['/run/s6/basedir/bin/halt'])
  expect(await box.exit()).toBe(0)
})
