// A process of the runtime user plants files in the volume of a running container, or a stranger sends requests to
// its dashboard: supervision, the other profiles and the dashboard continue, now and at the next boot.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, lives, startContainer } from '../../support/container/container.ts'
import { askHttp, cookieHeader, pageToken } from '../../support/dashboard/dashboard.ts'
import { size } from '../../support/size.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const victim = { 'profiles/victim/config.yaml': lives(), 'profiles/victim/desired_state': 'running\n' }

const asHermes = async (box: Box, script: string, env: Readonly<Record<string, string>> = {}): Promise<void> => {
  const { code, stderr } = await box.exec(['sh', '-ec', script], { user: 'hermes', env })
  expect([code, stderr]).toEqual([0, ''])
}
/** That it answers, and its pid. */
const healthy = (box: Box): Promise<string> => box.ok('hermes', 'healthcheck')

/** The victim starts again now and at the next boot, by supervisors that live. */
async function goesOn(box: Box): Promise<void> {
  for (const again of ['', 'restart']) {
    if (again !== '') await box.docker(again)
    await box.up('gateway-victim', { deadlineMs: 10_000 })
    const answer = await healthy(box)
    await box.ok('hermes', '-p', 'victim', 'gateway', 'restart')
    expect(await healthy(box)).toBe(answer)
  }
}

test('files of a profile that are links to 256 GB of /proc affect no other profile', async () => {
  await using box = await startContainer({ files: victim })
  await box.up('gateway-victim')
  await asHermes(
    box,
    'cd /opt/data; mkdir profiles/pm; for f in config.yaml .env; do ln -s /proc/self/pagemap profiles/pm/$f; done; rm -f active_profile; ln -s /proc/self/pagemap active_profile; echo running >profiles/pm/desired_state',
  )
  expect((await box.hermes('-p', 'pm', 'gateway', 'start')).code).not.toBe(0)
  await goesOn(box)
})

test('tens of thousands of invalid names in profiles/ leave the health check quick and the boot log short', async () => {
  await using box = await startContainer({ files: victim })
  await box.up('gateway-victim')
  const strays = size(20_000, 120_000)
  await asHermes(box, `cd /opt/data/profiles; seq -f "No profile %.0f" ${strays} | tr "\\n" "\\0" | xargs -0 touch`)
  await goesOn(box)
  expect(statSync(join(box.home, 'logs/container-boot.log')).size).toBeLessThan(256 * 1024)
  expect(box.file('logs/container-boot.log')).toContain(`reason="and ${strays - 20} more"`)
})

test('a FIFO or an endless view in the place of a database delays no unauthenticated probe of the dashboard', async () => {
  await using box = await startContainer({
    files: victim,
    env: { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_INSECURE: '1' },
    publish: 9119,
  })
  await box.up('gateway-victim')
  const endless = `const { DatabaseSync } = require('node:sqlite')
const made = new DatabaseSync('/opt/data/profiles/victim/sessions/sessions.db')
made.exec("CREATE VIEW sessions AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS id, x AS created_ms, x AS updated_ms FROM c; PRAGMA user_version = 1")`
  await asHermes(
    box,
    `cd /opt/data; mkdir -p sessions profiles/victim/sessions; mkfifo sessions/sessions.db; rm -f kanban.db; mkfifo kanban.db; node -e '${endless.replaceAll("'", "'\\''")}'`,
  )
  const port = await box.port(9119)
  for (let i = 0; i < 5; i++) expect((await askHttp(port, '/api/status')).code).toBe(200)
  await goesOn(box)
})

test('an open dashboard gives a page of another name neither its token nor a change (DNS rebinding)', async () => {
  await using box = await startContainer({
    files: victim,
    env: { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_INSECURE: '1' },
    publish: 9119,
  })
  await box.up('dashboard')
  const port = await box.port(9119)
  const own = { Host: `127.0.0.1:${port}` }
  const token = pageToken(await waitFor('the page', async () => (await askHttp(port, '/', { headers: own })).body))
  for (const host of [`rebound.evil.example:${port}`, 'rebound.evil.example', `127.0.0.1.evil.example:${port}`]) {
    const headers = { Host: host, Origin: `http://${host}` }
    expect([host, (await askHttp(port, '/', { headers })).body.includes('hermes-token')]).toEqual([host, false])
    const change = {
      method: 'PATCH',
      json: { gateway: { command: ['id'] } },
      headers: { ...headers, 'X-Hermes-Token': token },
    }
    expect([host, (await askHttp(port, '/api/config', change)).code]).toEqual([host, 421])
  }
})

test('a stranger who begins hundreds of log-ins cannot push a failed one out of the audit log', async () => {
  const password = { HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me', HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse' }
  await using box = await startContainer({
    env: {
      ...password,
      HERMES_DASHBOARD: '1',
      // Nothing listens there.
      HERMES_DASHBOARD_OIDC_ISSUER: 'http://127.0.0.1:9',
      HERMES_DASHBOARD_OAUTH_CLIENT_ID: 'x',
      HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: 'y',
    },
    publish: 9119,
  })
  await box.up('dashboard')
  const port = await box.port(9119)
  await waitFor('the dashboard to answer', async () => (await askHttp(port, '/api/status')).code === 200)
  const origin = { Origin: `http://127.0.0.1:${port}` }
  const wrong = { method: 'POST', json: { username: 'mallory', password: 'x' }, headers: origin }
  expect((await askHttp(port, '/auth/password-login', wrong)).code).toBe(401)
  for (let i = 0; i < 500; i++)
    await askHttp(port, i % 2 === 0 ? '/auth/login?provider=nous' : '/auth/callback?state=x')
  const lines = (box.file('logs/dashboard-auth.log') ?? '').trim().split('\n')
  expect(lines.length).toBeLessThan(20)
  expect(lines[0]).toContain('mallory')
})

test('a process that holds every connection of the dashboard from ten addresses and asks nothing keeps no other address out', async () => {
  await using box = await startContainer({
    env: { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_INSECURE: '1' },
    publish: 9119,
  })
  await box.up('dashboard')
  const port = await box.port(9119)
  const holdOpen = `const tried = new Set()
for (let i = 0; i < 1000; i++) {
  const from = { port: 9119, host: "127.0.0.1", localAddress: "127.0.1." + (1 + i % 10) }
  const socket = require("node:net").connect(from)
  const count = () => tried.add(socket).size === 1000 && require("node:fs").writeFileSync("/opt/data/tried", "")
  socket.on("connect", count).on("error", count)
}`
  await asHermes(box, `node -e '${holdOpen}' >/dev/null 2>&1 &`)
  await waitFor('its thousand connections', () => box.file('tried') !== undefined)
  const startedAtMs = performance.now()
  expect((await askHttp(port, '/api/status')).code).toBe(200)
  expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(5_000))
})

test('guesses of the password from fifty addresses are four hundred an hour, and lock no browser out that has logged in before', async () => {
  await using box = await startContainer({
    env: {
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'operator',
      HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'a password',
    },
    publish: 9119,
  })
  await box.up('dashboard')
  const port = await box.port(9119)
  const logIn = (cookie: string) =>
    askHttp(port, '/auth/password-login', {
      method: 'POST',
      json: { username: 'operator', password: 'a password' },
      headers: { Origin: `http://127.0.0.1:${port}`, cookie },
    })
  const first = await logIn('')
  expect(first.code).toBe(200)
  const guess = `const { request } = require("node:http")
const counts = {}
const headers = { origin: "http://127.0.0.1:9119", host: "127.0.0.1:9119", "content-type": "application/json" }
const options = { method: "POST", host: "127.0.0.1", port: 9119, path: "/auth/password-login", headers, agent: false }
const one = (i) => new Promise((resolve, reject) => {
  const asked = request({ ...options, localAddress: "127.0.1." + (1 + i % 50) }, (answer) => {
    resolve(answer.resume().statusCode)
  })
  asked.on("error", reject).end(JSON.stringify({ username: "operator", password: "guess " + i }))
})
;(async () => {
  for (let i = 0; i < 450; i++) {
    const code = await one(i)
    counts[code] = (counts[code] ?? 0) + 1
  }
  require("node:fs").writeFileSync("/opt/data/guessed", JSON.stringify(counts))
})()`
  await asHermes(box, `node -e '${guess}'`)
  expect(JSON.parse(box.file('guessed') ?? '')).toEqual({ 401: 400, 429: 50 })
  expect((await logIn('')).code).toBe(429)
  expect((await logIn(cookieHeader(first.cookies()))).code).toBe(200)
})

test('hundreds of requests with a wrong key leave two lines in the logs of the API server: the first, and the count', async () => {
  await using box = await startContainer({
    files: {
      'profiles/api/config.yaml': 'agent:\n  command: [cat]\n',
      'profiles/api/.env': 'API_SERVER_ENABLED=1\nAPI_SERVER_KEY=key-of-the-operator\n',
      'profiles/api/desired_state': 'running\n',
    },
  })
  await box.up('gateway-api')
  const requests = size(500, 3_000)
  const guess = `(async () => {
  for (let i = 0; i < ${requests}; i++) {
    const answer = await fetch("http://127.0.0.1:8642/v1/models", { headers: { authorization: "Bearer guess-" + i } })
    await answer.text()
    if (answer.status !== 401) throw new Error("answered " + answer.status)
  }
})()`
  await asHermes(box, `node -e '${guess}'`)
  // The count comes at the end of the minute, or with the stop.
  await box.ok('hermes', '-p', 'api', 'gateway', 'stop')
  for (const name of ['agent.log', 'errors.log']) {
    const refusals = await waitFor(`the count in ${name}`, () => {
      const lines = (box.file(`profiles/api/logs/${name}`) ?? '').split('\n').filter((line) => line.includes(' 401: '))
      return lines.at(-1)?.includes(' more of this kind') && lines
    })
    expect([name, refusals]).toEqual([name, [expect.any(String), expect.stringContaining(`and ${requests - 1} more`)]])
  }
})

test('a flood into a log directory of tens of thousands of files, in files of 4 KB, holds up no command', async () => {
  const flood = 'gateway:\n  command: ["sh", "-c", "while :; do echo 0123456789; done"]\nlogging:\n  max_bytes: 4096\n'
  await using box = await startContainer({
    files: { ...victim, 'profiles/flood/config.yaml': flood },
  })
  await box.up('gateway-victim')
  await asHermes(
    box,
    `cd /opt/data; mkdir -p logs/gateways/flood; cd logs/gateways/flood; seq ${size(10_000, 200_000)} | xargs touch`,
  )
  await box.ok('hermes', '-p', 'flood', 'gateway', 'start')
  for (let i = 0; i < 3; i++) {
    const startedAtMs = performance.now()
    await box.ok('hermes', 'status')
    expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(5_000))
  }
})

test('names and descriptions with control characters add no row and move no cursor on the operator’s screen', async () => {
  await using box = await startContainer({ files: victim })
  await box.up('gateway-victim')
  const EVIL = 'x\x1b[2J\x9b1m\r\u202e\nfake  up  9 d'
  const command = ['sh', '-c', 'printf "%s\n" "$1" >&2; exit 78', 'sh', EVIL]
  const CONFIG = JSON.stringify({ description: EVIL, gateway: { command } })
  const plant = 'cd /opt/data/profiles; mkdir "$EVIL" evil; printf %s "$CONFIG" >evil/config.yaml'
  await asHermes(box, plant, { EVIL, CONFIG })
  await box.hermes('-p', 'evil', 'gateway', 'start')
  await box.slot('gateway-evil', ({ state }) => state === 'parked')
  const outputs = [(await box.logs()).stderr, box.file('logs/supervisor.log') ?? '']
  for (const args of ['status', 'profile list', 'profile show evil', 'doctor', 'config check --all'])
    outputs.push(Object.values(await box.hermes(...args.split(' '))).join('\n'))
  expect(outputs.join('')).toContain('\\u001b[2J')
  for (const text of outputs) {
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
    expect(text).not.toMatch(/^fake/m)
  }
})

test('64 KB of nested YAML, and three days to start, delay no command and keep their profile startable', async () => {
  await using box = await startContainer({ files: victim })
  await box.up('gateway-victim')
  await asHermes(
    box,
    `cd /opt/data/profiles; mkdir deep slow; head -c 65000 /dev/zero | tr '\\0' '[' >deep/config.yaml
     echo '{"gateway": {"command": ["sleep", "1000000"], "start_timeout": "3d"}}' >slow/config.yaml`,
  )
  await box.hermes('-p', 'deep', 'gateway', 'start')
  await box.ok('hermes', '-p', 'slow', 'gateway', 'start')
  await box.up('gateway-slow')
  await goesOn(box)
})

test('printcontenv, when root runs it, reads only names of the stored environment', async () => {
  await using box = await startContainer({ env: { STORED: 'yes' } })
  await box.slot('gateway-default', () => true)
  expect(await box.ok('/command/printcontenv', 'STORED')).toBe('yes\n')
  for (const name of ['../../../etc/shadow', '..', '/etc/shadow', 'a/../STORED'])
    expect([name, await box.exec(['/command/printcontenv', name])]).toMatchObject([name, { code: 1, stdout: '' }])
})
