// Writes to the board and the sessions of a home until it is killed: node writes-home.ts HOME. Step n adds task n, and
// turn n of a conversation; then it prints n.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { openSessions } from '../../../src/gateway/sessions/store.ts'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { LONG_BUSY_TIMEOUT_MS, openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { pause, systemClock } from '../../../src/system/clock.ts'

const [home = ''] = process.argv.slice(2)
const clock = systemClock()
const warn = (text: string): void => void process.stderr.write(`${text}\n`)
const board = openTables(boardPlace(home, 'default'), { mode: 'create', busyTimeoutMs: LONG_BUSY_TIMEOUT_MS, warn })
const sessions = openSessions(join(home, 'profiles', 'coder'), clock, warn)
for (let step = 1; ; step++) {
  createTask(board, { title: `task ${step}` }, { name: 'writer', wallMs: clock.wallMs() })
  await sessions.append('talk', [
    { role: 'user', content: `question ${step}` },
    { role: 'assistant', content: `answer ${step}` },
  ])
  writeSync(1, `${step}\n`)
  // A board of thousands of tasks would make each backup of this test slow, and no better a test.
  await pause(clock, 20)
}
