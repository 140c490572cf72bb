// The dispatcher against a supervisor of the test's: what it asks, and what is left of it when it ends.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Dispatcher } from '../../../src/kanban/dispatch/dispatcher.ts'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { FileBoards } from '../../../src/kanban/store/file-boards.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { type ControlServer, type Handlers, serveControl } from '../../../src/supervisor/control/server.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { handlers } from '../../supervisor/control/handlers.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { waitFor } from '../../support/wait.ts'

let home: string
let server: ControlServer | undefined
beforeEach(() => {
  home = quickDir('hermes-dispatcher-')
  writeFileSync(join(home, 'config.yaml'), 'kanban: {dispatch_interval_seconds: 3600}\n')
  mkdirSync(join(home, 'profiles'))
})
afterEach(() => {
  server?.close()
  rmSync(home, { recursive: true, force: true })
})

/** Fake time goes on in small steps, none of which an answer of the supervisor takes. */
const STEP_MS = 200

const nothing = { manager: 'foreground', version: '0', pid1: false, identity: { uid: 0, gid: 0 }, slots: [] } as const

function serve(some: Partial<Handlers>): ControlServer {
  server = serveControl({
    fd: realNative.listenUnix(join(home, 'control.sock'), 511),
    clock: systemClock(),
    warn: (text) => expect.fail(text),
    handlers: handlers({ status: () => ({ ...nothing, phase: 'running', warnings: [] }), ...some }),
  })
  return server
}

function dispatcher(say: (text: string) => void) {
  const clock = fakeClock({ wallMs: Date.now() })
  const works = new Dispatcher({
    boards: new FileBoards(home),
    home,
    controlSocket: join(home, 'control.sock'),
    clock,
    host: 'here',
    builtIn: () => ['true'],
    log: (_, text) => say(text),
    ready: () => undefined,
  })
  return { works, clock }
}

const aBoard = (): void => {
  const board = openTables(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined })
  createTask(board, { title: 'waits' }, { name: 'test', wallMs: Date.now() })
  board.close()
}

test('one that something unforeseen ends leaves no connection behind that would keep its process alive', async () => {
  aBoard()
  let followed = 0
  serve({
    events: () => {
      followed++
      return {}
    },
    // It cannot dispatch, and its report about that cannot be written.
    status: () => ({ ...nothing, phase: 'booting', warnings: [] }),
  })
  const { works, clock } = dispatcher((text) => {
    throw new Error(`no room for ${text}`)
  })
  const run = works.run().catch((error: Error) => error.message)
  await waitFor('it to follow', () => followed > 0)
  const ended = await waitFor('its end', async () => {
    clock.advance(STEP_MS)
    return Promise.race([run, new Promise<undefined>((go) => setImmediate(go, undefined))])
  })
  expect(ended).toContain('no room for')
  await waitFor('its connections to be gone', () => {
    clock.advance(STEP_MS)
    return server?.connections === 0
  })
})

test('a job that ends before it follows the supervisor again is not left until the next tick is due', async () => {
  aBoard()
  const following = Promise.withResolvers<object>()
  let asked = 0
  let ticks = 0
  serve({
    ping: () => {
      ticks++
      return { instance: 'test', pid: 1 }
    },
    events: () => {
      if (++asked > 1) return following.promise
      throw new HermesError('REFUSED', 'too many follow already')
    },
  })
  const { works, clock } = dispatcher(() => undefined)
  const run = works.run()
  // It waits for the answer, and has looked in the meantime. It is not notified of later changes.
  await waitFor('it to ask again, and to tick', () => {
    clock.advance(STEP_MS)
    return asked === 2 && ticks > 0
  })
  const before = await settled(() => ticks)
  following.resolve({})
  await waitFor('another tick', () => {
    clock.advance(STEP_MS)
    return ticks > before
  })
  works.end()
  await run

  /** The number once ten steps have not changed it. */
  async function settled(count: () => number): Promise<number> {
    let [seen, same] = [count(), 0]
    await waitFor('it to settle', () => {
      clock.advance(STEP_MS)
      same = count() === seen ? same + 1 : 0
      seen = count()
      return same >= 10
    })
    return seen
  }
})
