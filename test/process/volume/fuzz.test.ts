// Random inputs for everything that others can write to: protocols, sockets, state files, YAML, routes. Each has a
// time budget: a minute in all in npm test, ten by `npm run long -- fuzz`. The figures stand in docs/security.md.
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { ROUTES } from '../../../src/dashboard/contract/routes.ts'
import { parseConfig } from '../../../src/profile/config/config.ts'
import { configKeys } from '../../../src/profile/config/keys.ts'
import { parseDotEnv } from '../../../src/profile/environment/dot-env.ts'
import { readDesired, writeGatewayState } from '../../../src/profile/state/state.ts'
import { parseToInit } from '../../../src/protocol/init.ts'
import { readServicesYaml } from '../../../src/services/yaml-file.ts'
import { SERVICE_KEYS } from '../../../src/services/yaml-keys.ts'
import { parseRequest } from '../../../src/supervisor/control/schema.ts'
import { startDashboard } from '../../support/dashboard/dashboard.ts'
import { startGateway } from '../../support/gateway.ts'
import { startHermes } from '../../support/hermes.ts'
import { type Figures, fuzz, jsonOf, mutationsOf, texts } from '../../support/hostile/fuzz.ts'
import { sharedScratchDir } from '../../support/scratch.ts'
import { stretchedMs, within } from '../../support/wait.ts'

const figures: Figures[] = []
afterAll(() => {
  for (const { target, inputs, seconds } of figures)
    process.stdout.write(`fuzz: ${target}: ${inputs} inputs in ${seconds} s\n`)
})
const dir = sharedScratchDir('hermes-fuzz-')

/** A text of at most 64 KB takes no longer than this on a busy machine. */
const RESPONSE_DEADLINE_MS = 3000
const briskly = <T>(act: () => T): T => {
  const startedAtMs = performance.now()
  const result = act()
  expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(RESPONSE_DEADLINE_MS))
  return result
}

const ops = [
  'ping',
  'status',
  'alive',
  'start',
  'stop',
  'restart',
  'signal',
  'reconcile',
  'register',
  'unregister',
  'deaths',
  'events',
  'logs',
  'job',
  'job-result',
  'job-take',
  'node-lease',
]
const controlRequest = fc
  .tuple(
    fc.constantFrom(...ops),
    jsonOf(
      ['slot', 'slots', 'signal', 'wait', 'timeoutMs', 'group', 'command', 'env', 'cwd', 'logFile'],
      ['gateway-default', 'TERM', '/x', 1000, ['x']],
    ),
  )
  .map(([op, body]) => JSON.stringify({ v: 1, id: 1, op, ...(typeof body === 'object' ? body : { slot: body }) }))

test('init accepts any valid line, and refuses any other with a message', async () => {
  const toInit = ['spawn', 'signal', 'forget', 'ack', 'hello', 'shutdown', 'pong', 'drained', 'booted', 'keep']
  const messages = jsonOf(
    [
      'type',
      'request',
      'slot',
      'stopSignal',
      'stopTimeoutMs',
      'notificationFd',
      'killLeftovers',
      'child',
      'signal',
      'target',
      'seq',
      'exitCode',
      'v',
      'name',
      'text',
    ],
    [...toInit, 'gateway-default', 'TERM', 'group', '../x', 64, 4096],
  ).map((value) => JSON.stringify(value))
  figures.push(
    await fuzz(
      'lines to init',
      fc.oneof(
        messages,
        mutationsOf(toInit.map((type) => JSON.stringify({ type, slot: 'a', seq: 1 }))),
        texts(['{"type":"', 'spawn', '"}', '"slot":']),
      ),
      (line) => {
        const parsed = briskly(() => parseToInit(line))
        if (typeof parsed !== 'string') expect(typeof parsed.type).toBe('string')
      },
    ),
  )
})

test('the control protocol answers any line, as a request or with an error', async () => {
  figures.push(
    await fuzz(
      'control requests, parsed',
      fc.oneof(controlRequest, texts(['{"v":1,"id":1,"op":"', ...ops, '"}', '"slot":'])),
      (line) => {
        const parsed = briskly(() => parseRequest(line))
        if (parsed.ok) expect(ops).toContain(parsed.request.op)
        else expect(parsed.error.code).toBe('BAD_REQUEST')
      },
    ),
  )
})

test('any bytes on the control socket leave the supervisor answering, and its slots as they were', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'default', gateway: { command: ['sleep', '100000'] } }] })
  const bytes = fc.oneof(
    // Only what changes nothing: what an operator may ask for is done.
    controlRequest.filter((text) => /"op":"(ping|status|alive|deaths|events|logs|job-result|reconcile)"/.test(text)),
    texts(['{"v":1,"id":1,"op":"ping"}\n', '{"v":1', '\n', 'GET / HTTP/1.1\r\n']).filter(
      (text) => !/"op":"(start|stop|restart|signal|job)/.test(text),
    ),
  )
  figures.push(
    await fuzz('the control socket', bytes, async (text) => {
      const socket = connect(join(hermes.runDir, 'control.sock'))
      socket.on('error', () => undefined).resume()
      await new Promise((connected) => socket.once('connect', connected))
      socket.write(`${text}\n`)
      await within(
        'a ping to be answered',
        hermes.control((client) => client.request('ping', {})),
        { deadlineMs: RESPONSE_DEADLINE_MS },
      )
      socket.destroy()
    }),
  )
  expect(await hermes.slot('gateway-default')).toMatchObject({ wanted: 'up', restarts: 0 })
})

test('any text in the place of a state file is read, and written over', async () => {
  const state = jsonOf(
    [
      'gateway_state',
      'desired_state',
      'pid',
      'start_time',
      'exit_reason',
      'restarts',
      'clean',
      'updated_at',
      '__proto__',
    ],
    ['running', 'stopped', 'draining', 4711],
  ).map((value) => JSON.stringify(value))
  const sound = ['running\n', '{"gateway_state":"running","desired_state":"stopped","pid":1,"clean":true}']
  figures.push(
    await fuzz(
      'state files',
      fc.tuple(fc.oneof(state, mutationsOf(sound)), fc.oneof(mutationsOf(sound), texts(['running', 'stopped', '\n']))),
      ([observed, desired]) => {
        writeFileSync(join(dir, 'gateway_state.json'), observed)
        writeFileSync(join(dir, 'desired_state'), desired)
        const read = briskly(() => readDesired(dir))
        expect(['running', 'stopped', null]).toContain(read.wanted)
        for (const warning of read.warnings) expect(warning.length).toBeLessThan(1000)
        writeGatewayState(dir, 'coder', { updatedAtMs: 0, gatewayState: 'running' })
        expect(readDesired(dir).priorExit).toBeDefined()
      },
    ),
  )
})

const yamlWords = (keys: readonly string[]): readonly string[] => [
  ...keys.flatMap((key) => key.split('.')).map((name) => `${name}: `),
  '\n',
  '\n  ',
  '\n    ',
  '- ',
  '[',
  ']',
  '{',
  '}',
  ', ',
  'true',
  '30s',
  '"x"',
  "'",
  '|',
  '>-',
  '# ',
  'null',
  '8080',
]

test('any config.yaml comes to settings that are sound, and to problems that can be printed', async () => {
  figures.push(
    await fuzz(
      'config.yaml',
      fc.oneof(
        texts(yamlWords(configKeys())),
        mutationsOf([
          'gateway:\n  command: [sh, -c, "x"]\n  env: {A: b}\n  ready: {http: "http://x"}\nlogging:\n  max_bytes: 300000\n',
        ]),
      ),
      (text) => {
        const { config, problems } = briskly(() => parseConfig(text.slice(0, 65_536), 'config.yaml'))
        expect(config.logging.maxBytes).toBeGreaterThanOrEqual(262_144)
        expect(config.gateway.stopTimeoutMs).toBeGreaterThanOrEqual(0)
        for (const { message } of problems) expect(typeof message).toBe('string')
      },
    ),
  )
})

test('any services.yaml comes to services that are sound, or left out', async () => {
  const command = {
    execlineb: undefined,
    check: ([program = '']: readonly string[]) => ({ file: `/usr/bin/${program}` }),
  }
  const facts = {
    file: 'services.yaml',
    asRoot: command,
    asOthers: command,
    findUser: () => undefined,
    canBecome: () => true,
    waitForServices: false,
    variables: {},
    readFile: () => undefined,
  }
  figures.push(
    await fuzz(
      'services.yaml',
      fc.oneof(
        texts(['services:\n  a:\n    ', ...yamlWords(Object.keys(SERVICE_KEYS))]),
        mutationsOf(['services:\n  a:\n    command: [x, y]\n    depends_on: {b: ready}\n  b:\n    command: x\n']),
      ),
      (text) => {
        const { problems } = briskly(() => readServicesYaml(text.slice(0, 65_536), facts))
        for (const { message } of problems) expect(typeof message).toBe('string')
      },
    ),
  )
})

test('any .env comes to variables, and its warnings hold no value', async () => {
  figures.push(
    await fuzz('.env', texts(['A=', 'export B=', '"', "'", '`', '\n', '# ', '$A', 'sekret']), (text) => {
      const { variables, warnings } = briskly(() => parseDotEnv(text.slice(0, 65_536), '.env'))
      for (const value of Object.values(variables)) expect(typeof value).toBe('string')
      for (const warning of warnings) expect(warning).not.toContain('sekret')
    }),
  )
})

const ID = ['default', 'nosuch', '..%2f..%2fetc', 'gateway-default', 't_00000000', '%00', 'a'.repeat(300)]
/** Requests to any of these paths, with whatever in the place of their parameters, queries and bodies. */
const requestsTo = (routes: readonly { readonly method: string; readonly path: string }[]) =>
  fc
    .tuple(
      fc.constantFrom(...routes),
      fc.constantFrom(...ID),
      fc.oneof(
        fc.constant(''),
        texts(['profile=', 'default', '&', 'board=', 'lines=', 'before=', 'search=', 'limit=']).map(
          (text) => `?${encodeURI(text.toWellFormed())}`,
        ),
      ),
      fc.oneof(
        jsonOf(
          [
            'name',
            'body',
            'title',
            'profile',
            'text',
            'version',
            'action',
            'messages',
            'role',
            'content',
            'model',
            'stream',
            'confirm',
            'board',
          ],
          ['default', 'x', 'start', 'user', [{ role: 'user', content: 'hi' }]],
        ).map((value) => JSON.stringify(value)),
        texts(['{"', '":', '}']),
      ),
    )
    .map(([{ method, path }, id, query, body]) => ({
      method,
      path: `${path.replace(/\{\w+\}|:\w+(\{[^}]*\})?/g, id)}${query}`.slice(0, 4000),
      body,
    }))

test('any request to the dashboard is answered, and is never a fault of ours', async () => {
  await using hermes = await startHermes({ profiles: [] })
  await using dashboard = await startDashboard(hermes)
  const routes = Object.values(ROUTES).filter(({ path }) => !/events|follow|terminal|logout/.test(path))
  figures.push(
    await fuzz('the dashboard', requestsTo(routes), async ({ method, path, body }) => {
      const asking = { method, ...(method === 'GET' ? {} : { body, headers: { 'Content-Type': 'application/json' } }) }
      const answer = await within(`${method} ${path}`, dashboard.asPage(path, asking), {
        deadlineMs: 20_000,
        seen: dashboard.said,
      })
      expect(answer.body).not.toContain('"internal"')
      expect(answer.code).toBeGreaterThanOrEqual(200)
    }),
  )
  expect(dashboard.said()).not.toContain('a bug')
})

test('any request to the API server is answered, and is never a fault of ours', async () => {
  await using gateway = await startGateway({ config: { agent: { command: ['cat'] } } })
  const routes = [
    { method: 'GET', path: '/health' },
    { method: 'GET', path: '/v1/models' },
    { method: 'GET', path: '/v1/models/{id}' },
    { method: 'POST', path: '/v1/chat/completions' },
    { method: 'GET', path: '/{id}' },
  ]
  figures.push(
    await fuzz('the API server', requestsTo(routes), async ({ method, path, body }) => {
      const init = method === 'GET' ? {} : { body, headers: { 'Content-Type': 'application/json' } }
      const answer = await within(`${method} ${path}`, fetch(`${gateway.url}${path}`, { method, ...init }), {
        deadlineMs: 20_000,
      })
      expect(answer.status).toBeLessThan(500)
      await answer.arrayBuffer()
    }),
  )
  expect(gateway.child.exitCode).toBeNull()
})
