import { spawn } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, dockerCommand, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const says = (text: string): string => `agent:\n  command: [sh, -c, "cat >/dev/null; printf '%s' ${text}"]\n`
const dotEnv = (port: number, key: string): string =>
  `API_SERVER_ENABLED=true\nAPI_SERVER_PORT=${port}\nAPI_SERVER_KEY=${key}\n`

/** The answer to a client inside the container: status, and the text of the answer or the error. */
async function ask(box: Box, port: number, key: string, session?: string): Promise<string> {
  const script = `
    const [port, key, session] = process.argv.slice(1)
    const headers = { authorization: 'Bearer ' + key, ...(session ? { 'x-hermes-session': session } : {}) }
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] })
    const answer = await fetch('http://127.0.0.1:' + port + '/v1/chat/completions', { method: 'POST', headers, body })
    const { choices, error } = await answer.json()
    console.log(answer.status, choices?.[0].message.content ?? error.code)`
  return (await box.ok('node', '--input-type=module', '-e', script, String(port), key, session ?? '')).trim()
}

test('three profiles answer on ports of their own, whatever API_SERVER_* the container has', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    env: { API_SERVER_ENABLED: '1', API_SERVER_PORT: '8700', API_SERVER_KEY: 'key-of-the-container' },
    files: {
      'config.yaml': says('default'),
      'profiles/coder/config.yaml': says('coder'),
      'profiles/coder/.env': dotEnv(8701, 'key-of-the-coder'),
      'profiles/coder/desired_state': 'running\n',
      'profiles/writer/config.yaml': says('writer'),
      'profiles/writer/.env': dotEnv(8702, 'key-of-the-writer'),
      'profiles/writer/desired_state': 'running\n',
      'profiles/quiet/config.yaml': says('quiet'),
      'profiles/quiet/desired_state': 'running\n',
    },
  })
  for (const name of ['default', 'coder', 'writer', 'quiet']) await box.up(`gateway-${name}`)
  expect(await ask(box, 8700, 'key-of-the-container')).toBe('200 default')
  expect(await ask(box, 8701, 'key-of-the-coder')).toBe('200 coder')
  expect(await ask(box, 8702, 'key-of-the-writer')).toBe('200 writer')
  expect(await ask(box, 8701, 'key-of-the-container')).toBe('401 invalid_api_key')
  // A profile without API_SERVER_* of its own serves nothing.
  expect(box.file('profiles/quiet/logs/agent.log')).not.toContain('listening')
})

test('a port that is taken is a death like any other: the log says who has it and which file to change, and the slot goes on', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': says('default'),
      desired_state: 'running\n',
      '.env': dotEnv(8700, 'key-of-the-default'),
      'profiles/coder/config.yaml': says('coder'),
      'profiles/coder/.env': dotEnv(8700, 'key-of-the-coder'),
    },
  })
  const { pid } = await box.up('gateway-default')
  const { code } = await box.hermes('-p', 'coder', 'gateway', 'start')
  expect(code).toBe(1)
  const waiting = await box.slot('gateway-coder', ({ state }) => state === 'backoff')
  expect(waiting.lastDeath).toMatchObject({ exitCode: 1 })
  const said = await waitFor('the reason in its log', () => {
    const log = box.file('logs/gateways/coder/current') ?? ''
    return log.includes('port 8700 is already in use by') && log
  })
  expect(said).toContain(`the gateway of profile "default" (pid ${pid})`)
  expect(said).toContain('API_SERVER_PORT=8701 in /opt/data/profiles/coder/.env')
  writeFileSync(join(box.home, 'profiles/coder/.env'), dotEnv(8701, 'key-of-the-coder'))
  await box.ok('hermes', '-p', 'coder', 'gateway', 'start')
  expect(await ask(box, 8701, 'key-of-the-coder')).toBe('200 coder')
})

test('a short key, and an open address without one, park the slot with the hint', async () => {
  await using box = await startContainer({
    files: {
      'profiles/short/.env': 'API_SERVER_ENABLED=1\nAPI_SERVER_KEY=1234567\n',
      'profiles/open/.env': 'API_SERVER_ENABLED=1\nAPI_SERVER_HOST=0.0.0.0\n',
      'profiles/short/desired_state': 'running\n',
      'profiles/open/desired_state': 'running\n',
    },
  })
  for (const name of ['short', 'open']) {
    const parked = await box.slot(`gateway-${name}`, ({ state }) => state === 'parked')
    expect(parked.lastDeath).toMatchObject({ exitCode: 78 })
    await waitFor('the hint', () => (box.file(`logs/gateways/${name}/current`) ?? '').includes('openssl rand -hex 32'))
  }
})

test('a conversation survives gateway restart; an answer at work is finished first', async () => {
  const agent = 'agent:\n  command: [sh, -c, "cat; [ -e slow ] && touch begun && sleep 2; true"]\n'
  await using box = await startContainer({
    files: { 'config.yaml': agent, '.env': dotEnv(8700, 'key-of-the-default'), desired_state: 'running\n' },
  })
  const { pid } = await box.up('gateway-default')
  expect(await ask(box, 8700, 'key-of-the-default', 'morning')).toBe('200 Hi')
  await box.ok('touch', '/opt/data/slow')
  const slow = ask(box, 8700, 'key-of-the-default', 'morning')
  await waitFor('the agent to begin', () => box.file('begun') !== undefined)
  await box.ok('hermes', 'gateway', 'restart')
  const second = 'User: Hi\n\nAssistant: Hi\n\nUser: Hi'
  expect(await slow).toBe(`200 ${second}`)
  await box.ok('rm', '/opt/data/slow')
  const again = await box.up('gateway-default')
  expect(again.pid).not.toBe(pid)
  expect(await ask(box, 8700, 'key-of-the-default', 'morning')).toBe(
    `200 User: Hi\n\nAssistant: Hi\n\nUser: Hi\n\nAssistant: ${second}\n\nUser: Hi`,
  )
})

const openAi = 'agent:\n  openai: {base_url: "http://127.0.0.1:1/v1", model: small, api_key_env: UP_KEY}\n'

test('login and setup through docker exec, with and without a terminal: files 0600 of the runtime user, no key anywhere else', async () => {
  await using box = await startContainer({ files: { 'profiles/coder/config.yaml': openAi, 'config.yaml': '' } })
  await box.slot('gateway-coder', () => true)
  const piped = await dockerCommand(['exec', '-i', box.id, 'hermes', '-p', 'coder', 'login'], {
    input: 'sk-piped-0123456789\n',
  })
  expect(piped.code).toBe(0)
  const typed = await onTerminal(
    box,
    ['hermes', '-p', 'coder', 'login', '--name', 'OTHER_KEY'],
    [['(not shown): ', 'sk-typed-0123456789\r']],
  )
  const answers = 'http://127.0.0.1:1/v1\nsmall\nUP_KEY\nsk-setup-0123456789\n'
  const setup = await dockerCommand(['exec', '-i', box.id, 'hermes', 'setup'], { input: answers })
  expect(setup.code).toBe(0)
  for (const file of ['auth.json', 'profiles/coder/auth.json']) {
    const { mode, uid, gid } = statSync(join(box.home, file))
    expect([file, mode & 0o777, uid, gid]).toEqual([file, 0o600, 10_000, 10_000])
  }
  expect(JSON.parse(box.file('profiles/coder/auth.json') ?? '').api_keys).toEqual({
    UP_KEY: 'sk-piped-0123456789',
    OTHER_KEY: 'sk-typed-0123456789',
  })
  expect(statSync(join(box.home, 'config.yaml')).uid).toBe(10_000)
  const shown = [piped.stdout, piped.stderr, typed, setup.stdout, setup.stderr]
  for (const args of [['status'], ['-p', 'coder', 'env'], ['-p', 'coder', 'config', 'get'], ['doctor']]) {
    const { stdout, stderr } = await box.hermes(...args)
    shown.push(stdout, stderr)
  }
  const { stdout, stderr } = await box.logs()
  expect([...shown, stdout, stderr].join('\n')).not.toMatch(/sk-(piped|typed|setup)/)
})

/** `docker exec -it`: waits for each text, then types what belongs to it. @returns all that was on the screen */
async function onTerminal(
  box: Box,
  argv: readonly string[],
  script: readonly (readonly [string, string])[],
): Promise<string> {
  const line = ['docker', 'exec', '-it', box.id, ...argv].map((argument) => `'${argument}'`).join(' ')
  const child = spawn('script', ['-qfec', line, '/dev/null'], { stdio: 'pipe' })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  for (const [prompt, answer] of script) {
    await waitFor(`${prompt} on the terminal`, () => shown.includes(prompt))
    child.stdin.write(answer)
  }
  expect([await ended, shown]).toEqual([0, shown])
  return shown
}
