import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES } from '../../../src/dashboard/contract/routes.ts'
import { writePoint } from '../../../src/dashboard/history/ring-file.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { dayOf } from '../../../src/meter/budget.ts'
import { openLedger, usageFile } from '../../../src/meter/ledger/ledger.ts'
import { historyDir, historyFile } from '../../../src/system/paths.ts'
import { hermes as cli } from '../../support/cli.ts'
import {
  type Asking,
  cookieHeader,
  type DashboardAnswer,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { type OpenApi, OpenApiJudge } from '../../support/dashboard/openapi.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const talks = {
  command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done'],
  ready_after: '50ms',
}
const dies = { command: ['sh', '-c', 'exit 3'], ready_after: '50ms' }

let hermes: RunningHermes
let dashboard: RunningDashboard
let judge: OpenApiJudge

beforeAll(async () => {
  hermes = await startHermes({
    profiles: [
      { name: 'coder', gateway: talks },
      { name: 'frail', gateway: dies },
    ],
  })
  dashboard = await startDashboard(hermes)
  judge = new OpenApiJudge((await dashboard.asPage('/api/openapi.json')).json() as OpenApi)
})
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]()
  await hermes[Symbol.asyncDispose]()
})

/** Every answer of these tests is held against the document. */
async function ask(method: string, path: string, json?: unknown): Promise<DashboardAnswer> {
  const asking: Asking = { method, ...(json === undefined ? {} : { json }) }
  const answer = await dashboard.asPage(path, asking)
  judge.judge(method, path, answer)
  return answer
}

const get = async (path: string) => (await ask('GET', path)).json()
const cliJson = async (...args: string[]) =>
  JSON.parse((await cli([...args, '--json'], { home: hermes.home, env: { HERMES_RUN_DIR: hermes.runDir } })).stdout)

describe('profiles', () => {
  test('are listed with their gateways, and the helpers beside', async () => {
    const { profiles, helpers } = await get('/api/profiles')
    expect(profiles.map(({ name }: { name: string }) => name)).toEqual(['default', 'coder', 'frail'])
    expect(profiles[1]).toMatchObject({ active: false, slot: { slot: 'gateway-coder', profile: 'coder' } })
    expect(helpers.map(({ slot }: { slot: string }) => slot)).toEqual(expect.arrayContaining(['dashboard']))
  })

  test('one is shown with its directory and what is wrong in its settings', async () => {
    writeFileSync(
      join(hermes.home, 'profiles', 'frail', 'config.yaml'),
      JSON.stringify({ gateway: dies, colour: 'red' }),
    )
    expect(await get('/api/profiles/frail')).toMatchObject({
      name: 'frail',
      directory: join(hermes.home, 'profiles', 'frail'),
      agent: null,
      problems: [expect.stringContaining('colour')],
    })
    expect((await ask('GET', '/api/profiles/nosuch')).json()).toMatchObject({ error: 'no_such_profile' })
    expect((await ask('GET', '/api/profiles/..%2f..%2fetc')).code).toBe(404)
  })

  test('one is made, cloned, started, and deleted only by its name', async () => {
    const made = await ask('POST', '/api/profiles', {
      name: 'Writer',
      clone: 'coder',
      description: 'writes',
      start: true,
    })
    expect([made.code, made.json()]).toMatchObject([
      201,
      { name: 'writer', description: 'writes', slot: { slot: 'gateway-writer', wanted: 'up' } },
    ])
    expect((await ask('POST', '/api/profiles', { name: 'writer' })).json()).toMatchObject({ error: 'exists' })
    expect((await ask('POST', '/api/profiles', { name: 'a b' })).json()).toMatchObject({ error: 'bad_name' })
    expect((await ask('POST', '/api/profiles', { name: 'x', clone: 'nosuch' })).code).toBe(404)
    expect((await ask('DELETE', '/api/profiles/writer', { confirm: 'coder' })).code).toBe(400)
    expect((await ask('DELETE', '/api/profiles/default', { confirm: 'default' })).code).toBe(409)
    expect((await hermes.slot('gateway-writer'))?.state).toBe('up')
    expect((await ask('DELETE', '/api/profiles/writer', { confirm: 'writer' })).code).toBe(204)
    expect(await hermes.slot('gateway-writer')).toBeUndefined()
    expect((await ask('GET', '/api/profiles/writer')).code).toBe(404)
  })

  test('a gateway is stopped, started and restarted, and its desired state kept, as on the command line', async () => {
    const path = '/api/profiles/coder/gateway'
    const pid = (await hermes.slot('gateway-coder'))?.pid
    expect((await ask('POST', path, { action: 'stop' })).json()).toMatchObject({ changed: true })
    await waitFor('it to be down', async () => (await hermes.slot('gateway-coder'))?.state === 'down')
    expect(readFileSync(join(hermes.home, 'profiles', 'coder', 'desired_state'), 'utf8')).toBe('stopped\n')
    expect((await ask('POST', path, { action: 'stop' })).json()).toMatchObject({ changed: false })
    await ask('POST', path, { action: 'start' })
    await waitFor('another one', async () => {
      const slot = await hermes.slot('gateway-coder')
      return slot?.state === 'up' && slot.pid !== pid
    })
    await ask('POST', path, { action: 'restart' })
    expect((await ask('POST', path, { action: 'explode' })).code).toBe(400)
    expect((await ask('POST', '/api/profiles/nosuch/gateway', { action: 'start' })).code).toBe(404)
    await waitFor('it to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
  })

  test('a helper has a route of its own, and gateways are not meant by it', async () => {
    expect((await ask('POST', '/api/slots/dashboard', { action: 'stop' })).json()).toMatchObject({ changed: false })
    for (const slot of ['gateway-coder', 'nosuch'])
      expect((await ask('POST', `/api/slots/${slot}`, { action: 'stop' })).code).toBe(404)
  })

  test('deaths are listed with their exit codes', async () => {
    const { deaths } = await waitFor('a death', async () => {
      const found = await get('/api/profiles/frail/deaths')
      return found.deaths.length > 0 && found
    })
    expect(deaths.at(-1)).toMatchObject({ exitCode: 3, at: expect.any(String) })
    expect((await ask('GET', '/api/profiles/nosuch/deaths')).code).toBe(404)
  })

  test('the last day is there in steps, also in the text of the page of the profile', async () => {
    // The dashboard itself writes the minute that has just ended.
    const minute = Math.floor(Date.now() / 60_000) - 3
    const point = { minute, cpuMillis: 300, memoryKiB: 2048, restarts: 2, queued: 5 }
    mkdirSync(historyDir(hermes.home), { recursive: true })
    writePoint(historyFile(hermes.home, 'gateway-coder'), point)
    const day = await get('/api/profiles/coder/history?step=1')
    const at = minute - Date.parse(day.from) / 60_000
    const of = (name: string) => day[name][at]
    expect([day.step_minutes, day.cpu.length]).toEqual([1, 1440])
    expect(['cpu', 'memory_bytes', 'restarts', 'queued'].map(of)).toEqual([0.3, 2_097_152, 2, 5])
    const { body } = await dashboard.asPage('/profiles/coder')
    const [, written = ''] = /name="hermes-history" content="([^"]*)"/.exec(body) ?? []
    expect(JSON.parse(written.replaceAll('&#34;', '"'))).toMatchObject({ profile: 'coder', day: { step_minutes: 10 } })
    expect((await dashboard.asPage('/profiles/nosuch')).body).not.toContain('hermes-history')
    expect((await ask('GET', '/api/profiles/nosuch/history')).code).toBe(404)
    expect((await ask('GET', '/api/profiles/coder/history?step=7')).code).toBe(400)
  })
})

describe('logs', () => {
  test('are read page by page to the first line, even across rotations', async () => {
    const dir = join(hermes.home, 'logs', 'gateways', 'frail')
    const stamp = (n: number): string => `2026-01-01T00:00:${String(n % 60).padStart(2, '0')}.000Z line ${n}\n`
    const lines = (from: number, to: number): string =>
      Array.from({ length: to - from }, (_, i) => stamp(from + i)).join('')
    await ask('POST', '/api/profiles/frail/gateway', { action: 'stop' })
    await waitFor('it to be down', async () => (await hermes.slot('gateway-frail'))?.state === 'down')
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, '20260101T000000.000Z.log'), lines(0, 700))
    writeFileSync(join(dir, '20260101T000100.000Z.log'), lines(700, 1000))
    writeFileSync(join(dir, 'current'), `${lines(1000, 1100)}2026-01-01T00:00:00.000Z half a li`)
    const read: string[] = []
    let before = ''
    for (let pages = 0; pages < 20; pages++) {
      const page = await get(`/api/profiles/frail/logs?lines=150${before === '' ? '' : `&before=${before}`}`)
      read.unshift(...page.lines.map(({ text }: { text: string }) => text))
      if (page.before === undefined) break
      before = page.before
    }
    expect(read).toEqual(Array.from({ length: 1100 }, (_, i) => `line ${i}`))
    const found = await get('/api/profiles/frail/logs?lines=3&search=LINE%20109')
    expect(found.lines.map(({ text }: { text: string }) => text)).toEqual(['line 1097', 'line 1098', 'line 1099'])
    const older = await get(`/api/profiles/frail/logs?lines=100&search=line%20109&before=${found.before}`)
    expect(older.lines.map(({ text }: { text: string }) => text)).toEqual([
      'line 109',
      ...Array.from({ length: 7 }, (_, i) => `line ${1090 + i}`),
    ])
    expect((await get('/api/profiles/frail/logs?before=999999999:5')).lines).toEqual([])
    expect((await ask('GET', '/api/profiles/frail/logs?lines=0')).code).toBe(400)
    expect((await ask('GET', '/api/profiles/nosuch/logs')).code).toBe(404)
  })

  test('are followed as they are written', async () => {
    const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
    const path = '/api/profiles/coder/logs/follow'
    using reader = await readEvents(dashboard.port, path, headers)
    const lines = await waitFor('ten lines', () => {
      const found = reader.events.flatMap(({ data }) => data.lines ?? [])
      return found.length >= 10 && found
    })
    for (const { event, data } of reader.events) judge.judgeEvent(path, event, data)
    const numbers = lines.map(({ text }: { text: string }) => Number(/^line (\d+)$/.exec(text)?.[1]))
    expect(numbers).toEqual(numbers.map((_: number, i: number) => (numbers[0] ?? 0) + i))
    expect((await ask('GET', '/api/profiles/nosuch/logs/follow')).code).toBe(404)
  })

  test('of the boots say what became of each profile', async () => {
    const { lines } = await get('/api/boot-log')
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ profile: 'coder', prior_state: 'running', action: 'started', prior_exit: 'unknown' }),
      ]),
    )
  })
})

describe('the stream of events', () => {
  test('is not for a proxy to hold back or to change', async () => {
    for (const path of ['/api/events', '/api/profiles/coder/logs/follow'])
      expect((await dashboard.asPage(path, { method: 'HEAD' })).headers).toMatchObject({
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      })
    const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
    using reader = await readEvents(dashboard.port, '/api/events', headers)
    expect(reader.headers['cache-control']).toBe('no-store, no-transform')
  })

  test('begins with everything, and a killed process is seen dying and coming back', async () => {
    const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
    using reader = await readEvents(dashboard.port, '/api/events', headers)
    await waitFor('the status', () => reader.events[0])
    expect(reader.events[0]).toMatchObject({ event: 'status', data: { phase: 'running' } })
    await waitFor('the usage', () =>
      reader.events.some(({ event, data }) => event === 'usage' && data.slots['gateway-coder']?.processes > 0),
    )
    const { pid } = (await hermes.slot('gateway-coder')) ?? {}
    process.kill(pid ?? 0, 'SIGKILL')
    await waitFor('another process, up', () =>
      reader.events.some(
        ({ event, data }) =>
          event === 'slot' && data.slot.slot === 'gateway-coder' && data.slot.state === 'up' && data.slot.pid !== pid,
      ),
    )
    expect(reader.events.some(({ event, data }) => event === 'slot' && data.slot.lastDeath?.signal === 'KILL')).toBe(
      true,
    )
    for (const { event, data } of reader.events) judge.judgeEvent('/api/events', event, data)
    const { profiles } = await get('/api/profiles')
    expect(profiles.find(({ name }: { name: string }) => name === 'coder').usage.memory_bytes).toBeGreaterThan(0)
  })

  test('reports a board that has changed, no matter which program changed it', async () => {
    const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
    await cliJson('kanban', 'create', 'made', 'before')
    using reader = await readEvents(dashboard.port, '/api/events', headers)
    // The first look says what there is; only then can something change.
    await waitFor('the usage, which comes with the looks', () => reader.events.some(({ event }) => event === 'usage'))
    await waitFor('the board', async () => {
      await cliJson('kanban', 'create', 'another')
      return reader.events.some(({ event, data }) => event === 'kanban' && data.board === 'default')
    })
  })

  test('goes on by itself after the supervisor was killed', async () => {
    const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
    using reader = await readEvents(dashboard.port, '/api/events', headers)
    using lines = await readEvents(dashboard.port, '/api/profiles/coder/logs/follow', headers)
    const statuses = (): number => reader.events.filter(({ event }) => event === 'status').length
    await waitFor('the status', () => statuses() === 1)
    process.kill(await hermes.supervisorPid(), 'SIGKILL')
    await waitFor('the status of the next one', () => statuses() >= 2)
    const seen = lines.events.length
    await waitFor('lines from the next one', () => lines.events.length > seen)
    expect([reader.ended, lines.ended]).toEqual([false, false])
  })
})

describe('settings', () => {
  test('are read, checked and written; not over a change that was not seen, and not with a mistake', async () => {
    const read = await get('/api/config?profile=coder')
    expect(read.problems).toEqual([])
    const text = `# by the dashboard\n${read.text}`
    expect(await get('/api/config?profile=coder')).toEqual(read)
    const bad = { profile: 'coder', text: 'gateway: {restart: sometimes}', version: read.version }
    const refused = (await ask('PATCH', '/api/config', bad)).json()
    expect(refused).toEqual({ problems: [expect.stringContaining('gateway.restart')], version: read.version })
    const written = (await ask('PATCH', '/api/config', { profile: 'coder', text, version: read.version })).json()
    expect(written.problems).toEqual([])
    expect(readFileSync(join(hermes.home, 'profiles', 'coder', 'config.yaml'), 'utf8')).toBe(text)
    const late = await ask('PATCH', '/api/config', { profile: 'coder', text: '', version: read.version })
    expect([late.code, late.json().next]).toEqual([409, expect.stringContaining('reload it')])
    expect((await ask('PATCH', '/api/config', { profile: 'nosuch', text: '', version: '' })).code).toBe(404)
    expect((await ask('GET', '/api/config?profile=nosuch')).code).toBe(404)
    expect((await ask('GET', '/api/config')).code).toBe(400)
    expect((await ask('POST', '/api/config/validate', { text: 'gateway: [' })).json().problems).not.toEqual([])
  })

  test('of changes to the same text at the same time one is made', async () => {
    const { text, version } = await get('/api/config?profile=coder')
    const texts = Array.from({ length: 5 }, (_, n) => `# change ${n}\n${text}`)
    const change = (changed: string) => ask('PATCH', '/api/config', { profile: 'coder', text: changed, version })
    const answers = await Promise.all(texts.map(change))
    expect(answers.map(({ code }) => code).sort()).toEqual([200, 409, 409, 409, 409])
    const made = texts[answers.findIndex(({ code }) => code === 200)]
    expect(readFileSync(join(hermes.home, 'profiles', 'coder', 'config.yaml'), 'utf8')).toBe(made)
  })

  test('defaults, schema, model, themes and plug-ins', async () => {
    expect(await get('/api/config/defaults')).toMatchObject({ gateway: { restart: 'always', stop_timeout: '10s' } })
    expect(await get('/api/config/schema')).toMatchObject({ type: 'object', properties: { gateway: {} } })
    expect(await get('/api/model/info')).toEqual({})
    const openai = { base_url: 'http://127.0.0.1:1/v1', model: 'some-model' }
    writeFileSync(join(hermes.home, 'config.yaml'), JSON.stringify({ agent: { openai } }))
    expect(await get('/api/model/info')).toEqual({ model: 'some-model' })
    expect(await get('/api/dashboard/themes')).toEqual(['light', 'dark'])
    expect(await get('/api/dashboard/plugins')).toEqual([])
  })
})

test('conversations are listed with how they began, and looking for them makes no database', async () => {
  expect(await get('/api/sessions')).toEqual({ sessions: [] })
  const agent = { command: ['echo', 'an answer'] }
  writeFileSync(join(hermes.home, 'config.yaml'), JSON.stringify({ agent }))
  await cliJson('chat', '--session', 'mine', '-q', 'what is the time?')
  const { sessions } = await get('/api/sessions?profile=default')
  expect(sessions).toMatchObject([{ profile: 'default', title: 'what is the time?', messages: 2 }])
  expect((await get('/api/sessions?profile=coder')).sessions).toEqual([])
  expect((await ask('GET', '/api/sessions?profile=nosuch')).code).toBe(404)
})

test('changes are in the audit log', async () => {
  expect((await get('/api/audit?limit=1')).entries).toHaveLength(1)
})

describe('the board', () => {
  test('a task is made, shown, moved, assigned and commented, as on the command line', async () => {
    const made = (await ask('POST', '/api/kanban/tasks', { title: 'build it', body: 'all', priority: 3 })).json()
    expect(made).toMatchObject({ title: 'build it', status: 'ready', assignee: null, created_by: 'dashboard' })
    const path = `/api/kanban/tasks/${made.id}`
    const child = (await ask('POST', '/api/kanban/tasks', { title: 'then test', parents: [made.id] })).json()
    expect(child.status).toBe('todo')
    expect((await ask('POST', `${path}/assign`, { assignee: 'coder' })).json().assignee).toBe('coder')
    expect((await ask('POST', `${path}/assign`, { assignee: 'nosuch' })).code).toBe(404)
    expect((await ask('POST', `${path}/comment`, { text: 'mind the gap' })).code).toBe(201)
    expect((await ask('POST', `${path}/comment`, { text: '  ' })).code).toBe(400)
    expect(await get(path)).toMatchObject({
      children: [{ id: child.id, title: 'then test', status: 'todo' }],
      comments: [{ author: 'dashboard', body: 'mind the gap' }],
      why: expect.stringContaining('no agent'),
    })
    expect(await get(`/api/kanban/tasks/${child.id}`)).toMatchObject({
      parents: [{ id: made.id }],
      why: expect.stringContaining(`waits for ${made.id}`),
    })
    const shown = await cliJson('kanban', 'list', '--assignee', 'coder')
    const { tasks } = await get('/api/kanban/tasks?assignee=coder')
    expect(tasks).toEqual(shown)
    const move = (to: string) => ask('POST', `${path}/move`, { to, reason: 'because' })
    for (const [to, status] of [
      ['blocked', 'blocked'],
      ['ready', 'ready'],
      ['ready', 'ready'],
      ['done', 'done'],
      ['archived', 'archived'],
    ] as const)
      expect((await move(to)).json().status).toBe(status)
    for (const to of ['running', 'triage', 'review', 'ready']) {
      const answer = await move(to)
      expect([answer.code, answer.json().next]).toEqual([409, expect.any(String)])
    }
    expect((await move('nowhere')).code).toBe(400)
    expect(await get(`/api/kanban/tasks/${child.id}`)).toMatchObject({ status: 'ready' })
  })

  test('a task is edited as it was seen, and removed with its history', async () => {
    const { id } = (await ask('POST', '/api/kanban/tasks', { title: 'a mistkae', body: 'x' })).json()
    const path = `/api/kanban/tasks/${id}`
    const edited = await ask('PATCH', path, { title: 'a mistake', priority: 4, was: { title: 'a mistkae' } })
    expect([edited.code, edited.json()]).toMatchObject([200, { title: 'a mistake', body: 'x', priority: 4 }])
    const late = await ask('PATCH', path, { title: 'late', was: { title: 'a mistkae' } })
    expect([late.code, late.json().error]).toMatchObject([409, expect.anything()])
    expect(await cliJson('kanban', 'show', id)).toMatchObject({ title: 'a mistake', priority: 4 })
    const child = (await ask('POST', '/api/kanban/tasks', { title: 'follows', parents: [id] })).json()
    expect((await ask('DELETE', path)).code).toBe(409)
    expect((await ask('DELETE', `/api/kanban/tasks/${child.id}`)).json()).toEqual({ task_id: child.id, deleted: true })
    expect((await ask('DELETE', path)).code).toBe(200)
    for (const method of ['GET', 'DELETE'] as const) expect((await ask(method, path)).code).toBe(404)
    expect((await ask('PATCH', path, { title: 'x' })).code).toBe(404)
  })

  test('a result is shown as a value, and work in review is sent back with what has to change', async () => {
    const { id } = (await ask('POST', '/api/kanban/tasks', { title: 'measure it' })).json()
    const path = `/api/kanban/tasks/${id}`
    expect((await ask('POST', `${path}/request-changes`, { text: 'x' })).code).toBe(409)
    const tables = openTables(boardPlace(hermes.home, 'default'), { mode: 'write', warn: () => undefined })
    const columns = `status = 'review', result = 'it is 42', result_json = '{"size":42}', result_schema = '{"type":"object"}'`
    tables.run(`UPDATE tasks SET ${columns} WHERE id = ?`, id)
    tables.close()
    expect(await get(path)).toMatchObject({ result_json: { size: 42 }, result_schema: { type: 'object' } })
    expect((await ask('POST', `${path}/request-changes`, { text: '  ' })).code).toBe(400)
    const again = await ask('POST', `${path}/request-changes`, { text: 'name the unit' })
    expect(again.json()).toMatchObject({ status: 'ready', result: 'it is 42' })
    expect((await get(path)).events.at(-1)).toMatchObject({
      kind: 'changes_requested',
      payload: { by: 'dashboard', reason: 'name the unit' },
    })
    // Nothing more to look at in later tests.
    await cliJson('kanban', 'archive', id)
  })

  test('a file is attached to a task, listed, sent to be saved and removed, and nothing else of the disk', async () => {
    const { id } = (await ask('POST', '/api/kanban/tasks', { title: 'with files' })).json()
    const task = `/api/kanban/tasks/${id}`
    const bytes = { 'Content-Type': 'application/octet-stream' }
    const upload = async (name: string, body: string, headers: Readonly<Record<string, string>> = bytes) => {
      const path = `${task}/attachments?name=${encodeURIComponent(name)}`
      const answer = await dashboard.asPage(path, { method: 'POST', body, headers })
      judge.judge('POST', path, answer)
      return answer
    }
    const name = 'b \u00e4".html'
    const html = '<script>alert(1)</script> \u00e4\0'
    const made = await upload(name, html)
    const listed = { name, size_bytes: Buffer.byteLength(html), state: 'there', by: 'dashboard' }
    expect([made.code, made.json()]).toMatchObject([201, listed])
    expect(await cliJson('kanban', 'attachments', id)).toMatchObject([listed])
    expect((await get(task)).attachments).toEqual([made.json()])
    expect(await get(`${task}/attachments`)).toEqual({ attachments: [made.json()] })
    const file = `${task}/attachments/${encodeURIComponent(name)}`
    const read = await ask('GET', file)
    expect([read.code, read.body]).toEqual([200, html])
    expect(read.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="b __.html"; filename*=UTF-8''b%20%C3%A4%22.html`,
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })

    expect((await upload(name, 'again')).code).toBe(409)
    for (const wrong of ['', '../x', '.hidden', 'a/b', 'x'.repeat(121)])
      expect((await upload(wrong, 'x')).code, wrong).toBe(400)
    expect((await upload('x', 'x', { 'Content-Type': 'text/plain' })).code).toBe(415)
    expect((await upload('x', 'x', { ...bytes, Origin: 'https://elsewhere.example' })).code).toBe(403)
    expect((await upload('x', 'x', { ...bytes, 'X-Hermes-Token': 'another' })).code).toBe(401)
    expect((await dashboard.ask(file)).code).toBe(401)
    await cliJson('config', 'set', 'kanban.attachment_max_bytes', '100')
    expect((await upload('large', 'x'.repeat(101))).code).toBe(413)
    expect((await upload('large', 'x'.repeat(100))).code).toBe(201)
    for (const other of ['none', '..%2f..%2fkanban.db', '%2e%2e', '.', '%zz'])
      expect((await ask('GET', `${task}/attachments/${other}`)).code, other).toBe(404)
    for (const [method, path] of [
      ['GET', '/api/kanban/tasks/t_00000000/attachments'],
      ['GET', '/api/kanban/tasks/t_00000000/attachments/x'],
      ['DELETE', `${task}/attachments/none`],
      ['GET', `${file}?board=third`],
    ] as const)
      expect((await ask(method, path)).code, path).toBe(404)

    const [{ path: onDisk }] = await cliJson('kanban', 'attachments', id)
    writeFileSync(onDisk, html.replace('1', '2'))
    expect((await ask('GET', file)).json()).toMatchObject({
      error: 'conflict',
      detail: expect.stringMatching(/changed/),
    })
    rmSync(onDisk)
    expect((await ask('GET', file)).code).toBe(409)
    expect(await get(task)).toMatchObject({
      attachments: [{ name, state: 'missing' }, { name: 'large' }],
      why: expect.stringContaining('is missing: its worker does not get that attachment'),
    })
    expect((await ask('DELETE', file)).json()).toEqual({ task_id: id, name, detached: true })
    expect((await ask('DELETE', file)).code).toBe(404)
    // Nothing more to look at in later tests.
    await ask('DELETE', task)
  })

  test('a routine is created, listed with its next time, paused, run and deleted', async () => {
    const yearly = { name: 'yearly', cron: '0 9 1 1 *', tz: 'Europe/Berlin', title: 'Report', assignee: 'coder' }
    const made = await ask('POST', '/api/kanban/routines', yearly)
    expect([made.code, made.json()]).toMatchObject([
      201,
      {
        ...yearly,
        catch_up: 'one',
        paused: false,
        body: '',
        priority: 0,
        next: expect.stringMatching(/-01-01T08:00:00/),
      },
    ])
    expect(await get('/api/kanban/routines')).toEqual({ routines: [made.json()] })
    expect(await cliJson('kanban', 'routine', 'list')).toEqual([made.json()])
    expect((await ask('POST', '/api/kanban/routines', yearly)).code).toBe(409)
    const path = '/api/kanban/routines/yearly'
    expect((await ask('PATCH', path, { paused: true })).json()).toMatchObject({ paused: true, next: null })
    const run = await ask('POST', `${path}/run`)
    expect([run.code, run.json().routine]).toEqual([201, 'yearly'])
    expect(await get(`/api/kanban/tasks/${run.json().task_id}`)).toMatchObject({
      title: 'Report',
      assignee: 'coder',
      created_by: 'routine yearly',
    })
    expect((await ask('PATCH', path, { paused: false })).json()).toEqual(made.json())
    expect((await ask('DELETE', path)).json()).toEqual({ routine: 'yearly', deleted: true })
    for (const wrong of [{ cron: '0 25 * * *' }, { tz: 'Mars' }, { name: 'X!' }, { title: ' ' }, { catch_up: 'two' }])
      expect((await ask('POST', '/api/kanban/routines', { ...yearly, ...wrong })).code, JSON.stringify(wrong)).toBe(400)
    expect((await ask('POST', '/api/kanban/routines', { ...yearly, assignee: 'nosuch' })).code).toBe(404)
    expect((await ask('PATCH', path, { paused: true })).code).toBe(404)
    expect((await ask('POST', `${path}/run`)).code).toBe(404)
    expect((await ask('DELETE', path)).code).toBe(404)
    expect((await ask('GET', '/api/kanban/routines?board=third')).code).toBe(404)
    // Nothing more to look at in later tests.
    await ask('DELETE', `/api/kanban/tasks/${run.json().task_id}`)
  })

  test('is searched and counted by status', async () => {
    await ask('POST', '/api/kanban/tasks', { title: 'A Needle in the hay', triage: true })
    const { tasks, counts } = await get('/api/kanban/tasks?search=needle')
    expect(tasks.map(({ title }: { title: string }) => title)).toEqual(['A Needle in the hay'])
    expect(counts.triage).toBe(1)
    expect((await get('/api/kanban/tasks?status=archived,done&limit=1')).tasks).toHaveLength(1)
    expect((await ask('GET', '/api/kanban/tasks?status=nosuch')).code).toBe(400)
    expect((await get('/api/kanban/tasks?search=%25')).tasks).toEqual([])
  })

  test('other boards are listed, and a missing one is 404', async () => {
    await cliJson('kanban', 'boards', 'create', 'second')
    const { boards } = await get('/api/kanban/boards')
    expect(boards).toEqual([
      { slug: 'default', current: true },
      { slug: 'second', current: false },
    ])
    expect((await ask('POST', '/api/kanban/tasks?board=second', { title: 'there' })).code).toBe(201)
    expect((await get('/api/kanban/tasks?board=second')).tasks).toHaveLength(1)
    expect((await ask('GET', '/api/kanban/tasks?board=third')).code).toBe(404)
    expect((await ask('POST', '/api/kanban/tasks?board=third', { title: 'x' })).code).toBe(404)
    expect((await ask('GET', '/api/kanban/tasks?board=..%2fx')).code).toBe(400)
    for (const what of ['move', 'assign', 'comment', 'request-changes']) {
      const body = {
        move: { to: 'done' },
        assign: { assignee: null },
        comment: { text: 'x' },
        'request-changes': { text: 'x' },
      }[what]
      expect((await ask('POST', `/api/kanban/tasks/t_00000000/${what}`, body)).code).toBe(404)
    }
    expect((await ask('GET', '/api/kanban/tasks/t_00000000')).code).toBe(404)
  })

  test('a dry run says what the command line says, and changes nothing', async () => {
    const before = await cliJson('kanban', 'list')
    const report = (await ask('POST', '/api/kanban/dispatch', { dry_run: true })).json()
    expect(report).toEqual(await cliJson('kanban', 'dispatch', '--dry-run'))
    expect(await cliJson('kanban', 'list')).toEqual(before)
    expect((await ask('POST', '/api/kanban/dispatch', { dry_run: false })).code).toBe(400)
    expect((await ask('POST', '/api/kanban/dispatch?board=third', { dry_run: true })).code).toBe(404)
  })
})

const whyNoPromtool = whyMissing('promtool')
test.skipIf(whyNoPromtool !== undefined)(
  named('promtool finds nothing wrong with the metrics', whyNoPromtool),
  async () => {
    const { body } = await ask('GET', '/api/metrics')
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
    expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', ''])
  },
)

test('the metrics have what the meter has counted, and nothing of it where there is no meter', async () => {
  expect((await ask('GET', '/api/metrics')).body).not.toContain('hermes_usage')
  expect(await get('/api/usage')).toMatchObject({ by: 'profile', groups: [], total: { requests: 0 }, budgets: [] })
  expect(existsSync(usageFile(hermes.home))).toBe(false)
  const ledger = openLedger(hermes.home, () => undefined)
  for (const [id, day] of [
    ['a', '2026-10-01'],
    ['b', '2026-11-01'],
  ] as const) {
    ledger.begin({ id, day, profile: 'coder', board: '', task: '', model: 'gpt-4o' })
    ledger.note(id, { inputTokens: 10, cachedTokens: 0, outputTokens: 4 }, 65_000)
    ledger.finish(id)
  }
  ledger.close()
  const { body } = await ask('GET', '/api/metrics')
  for (const line of [
    'hermes_usage_requests_total{profile="coder",model="gpt-4o"} 2',
    'hermes_usage_uncounted_requests_total{profile="coder",model="gpt-4o"} 0',
    'hermes_usage_tokens_total{profile="coder",model="gpt-4o",kind="input"} 20',
    'hermes_usage_tokens_total{profile="coder",model="gpt-4o",kind="output"} 8',
    'hermes_usage_usd_total{profile="coder",model="gpt-4o"} 0.00013',
  ])
    expect(body.split('\n')).toContain(line)
})

test('the usage of endpoints is grouped as it is asked for', async () => {
  const ledger = openLedger(hermes.home, () => undefined)
  const day = dayOf(Date.now())
  ledger.begin({ id: 'c', day, profile: 'frail', board: '', task: '', model: 'm' })
  ledger.note('c', { inputTokens: 3, cachedTokens: 1, outputTokens: 2 }, undefined)
  ledger.finish('c')
  ledger.close()
  const amounts = { requests: 1, input_tokens: 3, output_tokens: 2, unpriced_tokens: 5 }
  expect((await get('/api/usage?by=day&profile=frail')).groups).toMatchObject([{ day, profile: 'frail', ...amounts }])
  // The other ones are older than a day.
  expect((await get('/api/usage?by=task&days=1')).groups).toMatchObject([{ profile: 'frail', task: null, ...amounts }])
  expect((await get('/api/usage?days=36500')).groups).toMatchObject([{ profile: 'coder' }, { profile: 'frail' }])
  expect((await ask('GET', '/api/usage?by=year')).code).toBe(400)
  expect((await ask('GET', '/api/usage?profile=nosuch')).code).toBe(404)
})

test('the metrics agree with the state', async () => {
  const { body } = await ask('GET', '/api/metrics')
  for (const line of [
    'hermes_supervisor_up 1',
    'hermes_log_lines_lost_total 0',
    'hermes_slot_up{slot="gateway-coder",profile="coder"} 1',
    'hermes_slot_wanted{slot="gateway-frail",profile="frail"} 0',
    'hermes_kanban_tasks{board="default",status="archived"} 2',
    'hermes_kanban_runs_total{board="second",outcome="crashed"} 0',
    'hermes_kanban_run_duration_seconds_bucket{board="second",le="+Inf"} 0',
  ])
    expect(body.split('\n')).toContain(line)
  expect(body).toMatch(/^hermes_slot_memory_bytes\{slot="gateway-coder",profile="coder"\} [1-9]\d*$/m)
})

test('the counter of processor time grows with what a gateway and its commands use', async () => {
  const used = async (): Promise<number> => {
    const { body } = await ask('GET', '/api/metrics')
    const line = /^hermes_slot_cpu_seconds_total\{slot="gateway-coder",profile="coder"\} (.*)$/m.exec(body)
    return Number(line?.[1])
  }
  const before = await used()
  await waitFor('processor time', async () => (await used()) > before)
})

test('bodies: no JSON, another shape, too large', async () => {
  const path = '/api/config/validate'
  const json = { 'Content-Type': 'application/json' }
  const send = async (body: string, headers: Readonly<Record<string, string>> = json) => {
    const answer = await dashboard.asPage(path, { method: 'POST', body, headers })
    judge.judge('POST', path, answer)
    return answer.code
  }
  expect(await send('{')).toBe(400)
  expect(await send('{"text":1}')).toBe(400)
  expect(await send('{"text":"","more":1}')).toBe(400)
  expect(await send(JSON.stringify({ text: 'x'.repeat(70_000) }))).toBe(400)
  expect(await send('x'.repeat(2_100_000))).toBe(413)
  expect(await send('{"text":""}', { 'Content-Type': 'text/plain' })).toBe(415)
})

test('while there is no supervisor: 503 with what to do, and what needs none still works', async () => {
  await using alone = await startDashboard({ home: hermes.home, runDir: join(hermes.home, 'no-run') })
  for (const path of ['/api/profiles', '/api/profiles/coder/deaths']) {
    const answer = await alone.asPage(path)
    judge.judge('GET', path, answer)
    expect([answer.code, answer.json().error]).toEqual([503, 'no_supervisor'])
  }
  expect((await alone.asPage('/api/status')).json()).toMatchObject({ gateway_running: false })
  expect((await alone.asPage('/api/kanban/tasks')).code).toBe(200)
  expect((await alone.asPage('/api/metrics')).body).toMatch(/^hermes_supervisor_up 0$/m)
  expect((await alone.asPage('/api/metrics')).body).not.toMatch(/^hermes_(slot|log)_/m)
})

test('the log-in routes answer as the document says', async () => {
  await using gated = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env: password })
  const headers = { Origin: gated.origin }
  const judged = async (method: string, path: string, asking: Asking = {}): Promise<DashboardAnswer> => {
    const answer = await gated.ask(path, { ...asking, method })
    judge.judge(method, path, answer)
    return answer
  }
  await judged('GET', '/api/auth/providers')
  await judged('GET', '/api/auth/me')
  await judged('GET', '/auth/login?provider=nosuch')
  await judged('GET', '/auth/callback?code=x')
  await judged('POST', '/auth/password-login', { headers, json: { username: 'me', password: 'wrong' } })
  const json = { username: 'me', password: 'correct horse' }
  const cookie = cookieHeader((await judged('POST', '/auth/password-login', { headers, json })).cookies())
  const token = pageToken((await gated.ask('/', { headers: { cookie } })).body)
  await judged('GET', '/api/auth/me', { headers: { cookie } })
  await judged('GET', '/api/status', { headers: { cookie } })
  await judged('POST', '/api/profiles', { headers: { cookie }, json: { name: 'x' } })
  await judged('POST', '/auth/logout', { headers: { ...headers, cookie, 'X-Hermes-Token': token } })
  await judged('GET', '/api/profiles', { headers: { cookie } })
  for (let i = 0; i < 11; i++)
    await judged('POST', '/auth/password-login', { headers, json: { username: 'x', password: 'x' } })
  expect(judge.asked).toContain('passwordLogin 429')
})

test('every route is in the document, and each was asked here, or in nodes.test.ts', async () => {
  await ask('GET', '/api/openapi.json')
  const ofNodes = Object.entries(ROUTES).filter(([, { path }]) => path.startsWith('/api/node'))
  const names = Object.keys(ROUTES).filter((name) => !ofNodes.some(([one]) => one === name))
  const streams = ['events', 'followLogs', 'terminal']
  const elsewhere = ['beginLogin', 'endLogin']
  const answered = new Set([...judge.asked].map((asked) => asked.split(' ')[0]))
  expect(names.filter((name) => !answered.has(name) && !streams.includes(name))).toEqual([])
  const succeeded = new Set(
    [...judge.asked].filter((asked) => / 2\d\d$/.test(asked)).map((asked) => asked.split(' ')[0]),
  )
  expect(names.filter((name) => !succeeded.has(name) && ![...streams, ...elsewhere].includes(name))).toEqual([])
})
