// Every Node of ours, however it is started: no signal opens an inspector, and no variable makes it load code while it
// is root.
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { CODE_LOADERS } from '../../../src/system/programs/own-node.ts'
import type { BoxOptions } from '../../support/container/blueprint.ts'
import { type Box, gatewayOf, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

/** The place where each program of this container records how it was started. */
const STARTS = '/starts'
const record = `require('node:fs').appendFileSync('${STARTS}', JSON.stringify({ name: __filename, uid: process.getuid(), options: process.execArgv, variables: Object.keys(process.env) }) + '\\n')`
/** Runs before /init: programs that tell, and a service whose logger is ours and root's. */
const prepare = `set -e
touch ${STARTS} && chmod 666 ${STARTS}
for file in /opt/hermes/lib/*.cjs; do printf '%s\\n' "$RECORD" | cat - "$file" >/new && cat /new >"$file"; done
mkdir -p /etc/services.d/web/log
printf '#!/bin/sh\\nexec sleep 100000\\n' >/etc/services.d/web/run
printf '#!/bin/sh\\nexec s6-log -b n10 s1000000 T /var/log/web\\n' >/etc/services.d/web/log/run
chmod 755 /etc/services.d/web/run /etc/services.d/web/log/run
exec /init "$@"`

const recording = (options: BoxOptions): Promise<Box> =>
  startContainer({
    ...options,
    entrypoint: ['sh', '-c', prepare, 'sh'],
    env: { ...options.env, RECORD: record },
  })

/** From the next boot on, init looks at the walls, instead of the repair that the boot before had. */
async function startAgainWithWalls(box: Box): Promise<void> {
  const file = '/opt/data/walls.json'
  const text = '{"v":1,"profiles":{}}'
  await box.ok('sh', '-c', `umask 077 && echo '${text}' >${file} && chown hermes:hermes ${file}`)
  await box.docker('restart')
}

interface Start {
  readonly name: string
  readonly uid: number
  readonly options: readonly string[]
  readonly variables: readonly string[]
}

async function starts(box: Box): Promise<readonly Start[]> {
  const text = await box.ok('cat', STARTS)
  const found = text.split('\n').filter((line) => line !== '')
  return found.map((line) => {
    const start = JSON.parse(line) as Start
    return { ...start, name: start.name.replace(/^.*\/|\.cjs$/g, '') }
  })
}

/** Asks the dashboard for its tools. */
const TOOLS = `fetch('http://127.0.0.1:9119/mcp', {
  method: 'POST',
  headers: {
    authorization: 'Bearer ' + process.argv[1],
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
}).then((answer) => { process.exitCode = answer.ok ? 0 : 1 })`

/** The process whose socket listens on the inspector's port; undefined: none does. */
const inspector = `inode=$(awk '$2 ~ /:240D$/ && $4 == "0A" { print $10 }' /proc/net/tcp)
[ -n "$inode" ] && ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v inode="$inode" '/^\\/proc/ { split($0, part, "/") } index($0, "socket:[" inode "]") { print part[3] }'`

test('no program of ours opens an inspector at USR1, in whatever way it was started', async () => {
  await using box = await recording({
    // init passes USR1 on to the main program, whose end would be the container's.
    command: ['sh', '-c', "trap '' USR1; exec sleep 100000"],
    env: {
      HERMES_FRONT_PORT: '8644',
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
      HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse',
      API_SERVER_ENABLED: '1',
      API_SERVER_KEY_FILE: '/opt/data/key',
    },
    files: {
      key: 'k'.repeat(40),
      desired_state: 'running\n',
      'config.yaml':
        'notify: [{name: ops, to: exec, command: ["true"]}]\nforward: [{name: a, to: syslog, url: "udp://127.0.0.1:9"}]\n',
      'profiles/coder/config.yaml': 'gateway: {schedule: "0 0 1 1 *"}',
      'profiles/metered/config.yaml': `gateway: {command: [sleep, "100000"]}
agent: {meter: true, openai: {base_url: "http://127.0.0.1:1/v1", model: none}}
secrets: {WORD: {file: /opt/data/key}}
`,
      'profiles/metered/desired_state': 'running\n',
      schema: '{}',
    },
  })
  await box.up('gateway-default')
  await startAgainWithWalls(box)
  for (const slot of [
    'gateway-default',
    'gateway-metered',
    'dashboard',
    'meter',
    'notifier',
    'forwarder',
    'front-port',
    'service-web-log',
  ])
    await box.up(slot)
  await box.ok('hermes', 'kanban', 'create', 'a task', '--assignee', 'coder')
  await box.up('dispatcher')
  await box.ok('hermes', 'kanban', 'create', 'another', '--assignee', 'coder', '--result-schema', '/opt/data/schema')
  await box.exec(['hermes', 'kanban', 'work'])
  // Nothing listens there: the client of the database is loaded all the same.
  await box.exec(['env', 'HERMES_KANBAN_DATABASE=postgres://127.0.0.1:1/none', 'hermes', 'kanban', 'list'])
  const token = (await box.ok('hermes', 'token', 'create', 'assistant', '--scope', 'read')).trim()
  await box.ok('node', '-e', TOOLS, token)
  await box.ok('s6-svstat', '/run/service/web')
  await box.ok('hermes', 'profile', 'list')
  await box.ok('env', 'EDITOR=true', 'hermes', 'config', 'edit')
  await box.ok('env', 'HERMES_BACKUP_PASSPHRASE_FILE=/opt/data/key', 'hermes', 'backup', '--encrypt')
  await box.ok('hermes', 'healthcheck')

  const seen = await starts(box)
  const files = readdirSync('bin', { recursive: true, encoding: 'utf8' })
  const programs = files.flatMap((path) => (path.endsWith('.ts') ? [basename(path, '.ts')] : []))
  expect([...new Set(seen.map(({ name }) => name))].sort()).toEqual(programs.sort())
  for (const start of seen) expect(start).toMatchObject({ options: expect.arrayContaining(['--disable-sigusr1']) })

  // A pattern that is not itself a match: grep has it in its own command line.
  const look = 'cd /proc && exec grep -la "/lib/[a-z0-9-]*[.]cjs" [0-9]*/cmdline'
  const living = (await box.ok('sh', '-c', look)).match(/^\d+/gm) ?? []
  expect(living.length).toBeGreaterThanOrEqual(6)
  await box.ok('sh', '-c', `kill -USR1 ${living.join(' ')}`)
  // A Node that is not ours opens it, and the port was free.
  await box.ok(
    'sh',
    '-c',
    'node -e "setInterval(() => undefined, 1000)" </dev/null >/dev/null 2>&1 & echo $! >/control',
  )
  const control = (await box.ok('cat', '/control')).trim()
  const listener = await waitFor('the control to listen', async () => {
    await box.ok('sh', '-c', `kill -USR1 ${control}`)
    return (await box.exec(['sh', '-c', inspector])).stdout.trim() || undefined
  })
  expect(listener).toBe(control)
  const { stderr } = await box.logs()
  expect(stderr).not.toContain('Debugger listening')
  expect((await box.status()).slots.filter(({ restarts }) => restarts > 0)).toEqual([])
})

const LOADING = {
  NODE_OPTIONS: '--require=/opt/data/evil.js',
  NODE_PATH: '/opt/data',
  NODE_V8_COVERAGE: '/opt/data/coverage',
  OPENSSL_CONF: '/opt/data/openssl.cnf',
  OPENSSL_MODULES: '/opt/data',
  OPENSSL_ENGINES: '/opt/data',
  GCONV_PATH: '/opt/data',
  LD_LIBRARY_PATH: '/opt/data/lib',
}

test('no variable makes a program of ours load code while it is root, and all of them come back after the drop', async () => {
  const shown = Object.keys(LOADING)
    .map((name) => `$${name}`)
    .join(' ')
  await using box = await recording({
    command: ['sh', '-c', `echo "main ${shown}"; exec sleep 100000`],
    env: {
      ...LOADING,
      HERMES_METRICS_TOKEN_FILE: '/opt/data/token',
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_INSECURE: '1',
    },
    files: {
      token: 'scrape-me\n',
      'evil.js': 'require("node:fs").appendFileSync("/opt/data/ran-as", process.getuid() + "\\n")',
      // A Node that reads it ends with "OpenSSL configuration error".
      'openssl.cnf': 'nodejs_conf = [\n',
      'config.yaml': `${gatewayOf('sleep', '100000')}agent:\n  command: [sh, -c, 'echo "agent ${shown}"']\n`,
    },
  })
  const values = Object.values(LOADING).join(' ')
  await box.slot('gateway-default', () => true)
  await startAgainWithWalls(box)
  await box.saw(`main ${values}`)
  await box.slot('service-web-log', ({ state }) => state === 'up')
  await box.ok('hermes', 'healthcheck')
  await box.ok('s6-svstat', '/run/service/web')
  expect(await box.ok('hermes', 'chat', '-q', 'hello')).toContain(`agent ${values}`)
  await box.ok('env', `EDITOR=sh -c 'echo "${shown}" >/opt/data/editor' editor`, 'hermes', 'config', 'edit')
  expect(box.file('editor')).toBe(`${values}\n`)
  await box.up('dashboard')
  await box.ok('/command/with-contenv', 's6-svc', '-r', '/run/service/web')
  await box.ok('sh', '-c', 'echo line | s6-log T /var/log/other')

  const roots = (await starts(box)).filter(({ uid }) => uid === 0)
  expect(new Set(roots.map(({ name }) => name))).toEqual(
    new Set([
      ...['init', 'boot', 'repair', 'secrets', 'services', 'yaml', 'supervisor', 'hermes', 'drop', 'handover'],
      ...['s6', 's6-log', 'walls'],
    ]),
  )
  for (const { name, variables } of roots)
    expect([name, variables.filter((one) => one.startsWith('NODE_') || CODE_LOADERS.includes(one as never))]).toEqual([
      name,
      [],
    ])
  expect(box.file('ran-as') ?? '').not.toMatch(/^0$/m)
})

test('a boot warns once of a variable by which root’s programs load code from the volume', async () => {
  const warned = async (value: string): Promise<readonly string[]> => {
    await using box = await startContainer({ env: { LD_LIBRARY_PATH: value, LD_PRELOAD: 'libc.so.6' } })
    await box.slot('gateway-default', () => true)
    return (await box.logs()).stderr.split('\n').filter((line) => line.includes('LD_LIBRARY_PATH'))
  }
  const lines = await warned('/usr/lib:/opt/data/lib')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('LD_LIBRARY_PATH names /opt/data/lib, which others than root can change')
  expect(await warned('/usr/lib:/nowhere')).toEqual([])
})
