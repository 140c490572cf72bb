import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSessions, sessionsFile } from '../../../src/gateway/sessions/store.ts'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { hermes as cli } from '../../support/cli.ts'
import { type RunningDashboard, startDashboard } from '../../support/dashboard/dashboard.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { boardShapes, plantAll, sessionsShapes } from '../../support/hostile/planted-databases.ts'
import { within } from '../../support/wait.ts'

const warn = (): void => undefined
const madeSessions = (file: string): void => {
  const store = openSessions(dirname(dirname(file)), systemClock(), warn)
  void store.append('good', [{ role: 'user', content: 'hello' }])
  store.close()
}
const madeBoard = (file: string): void => {
  const board = openTables({ slug: 'x', file }, { mode: 'create', warn })
  createTask(board, { title: 'a task' }, { name: 'test', wallMs: Date.now() })
  board.close()
}

const SESSIONS = sessionsShapes(madeSessions)
const BOARDS = boardShapes(madeBoard)
const slugs = Object.keys(BOARDS).map((_, index) => `b${index}`)
const RESPONSE_DEADLINE_MS = 5000

let hermes: RunningHermes
let dashboard: RunningDashboard
beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), 'hermes-planted-'))
  plantAll(SESSIONS, (index) => sessionsFile(join(home, 'profiles', `p${index}`)))
  plantAll(BOARDS, (index) => boardPlace(home, `b${index}`).file)
  const good = join(home, 'profiles', 'good')
  mkdirSync(good, { recursive: true })
  madeSessions(sessionsFile(good))
  hermes = await startHermes({ home, profiles: [] })
  dashboard = await startDashboard(hermes)
})
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]()
  await hermes[Symbol.asyncDispose]()
})

const answered = async (method: string, path: string, json?: unknown) => {
  const asking = { method, ...(json === undefined ? {} : { json }) }
  return within(`${method} ${path}`, dashboard.asPage(path, asking), {
    deadlineMs: RESPONSE_DEADLINE_MS,
    seen: dashboard.said,
  })
}

test('the public status answers, whatever lies in the place of a profile’s sessions.db', async () => {
  const { code, json } = await answered('GET', '/api/status')
  expect(code).toBe(200)
  expect(json()).toMatchObject({ active_sessions: 1 })
})

test('conversations of sound profiles are listed beside those that cannot be read', async () => {
  const { code, json } = await answered('GET', '/api/sessions')
  expect(code).toBe(200)
  expect(json().sessions).toEqual([expect.objectContaining({ profile: 'good', id: 'good', title: 'hello' })])
})

test.each(Object.keys(BOARDS).map((what, index) => [what, `b${index}`]))(
  'with %s in the place of a board every request about it is answered',
  async (_, slug) => {
    for (const [method, path, json] of [
      ['GET', `/api/kanban/tasks?board=${slug}`],
      ['POST', '/api/kanban/tasks', { board: slug, title: 'another' }],
      ['GET', `/api/kanban/dispatch?board=${slug}`],
    ] as const) {
      const { body } = await answered(method, path, json)
      // Done, or refused in words; not a fault of ours.
      expect(body).not.toContain('"internal"')
    }
    const command = cli(['kanban', '--board', slug, 'list'], {
      home: hermes.home,
      env: { HERMES_RUN_DIR: hermes.runDir },
    })
    const { stderr } = await within(`hermes kanban list of ${slug}`, command, { deadlineMs: 10_000 })
    expect(stderr).not.toMatch(/^ {4}at /m)
  },
)

test('boards and metrics are listed beside boards that cannot be read', async () => {
  expect((await answered('GET', '/api/kanban/boards')).code).toBe(200)
  const { code, body } = await answered('GET', '/api/metrics')
  expect(code).toBe(200)
  expect(body).toContain('hermes_supervisor_up 1')
  expect(slugs.length).toBeGreaterThan(10)
})
