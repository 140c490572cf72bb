import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ControlClient, connectControl } from '../../src/control/client.ts'
import { registerSlot, unregisterSlot } from '../../src/control/slot-actions.ts'
import { HermesError } from '../../src/system/errors.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { realNative } from '../support/supervisor/real-native.ts'
import { waitFor, within } from '../support/wait.ts'

let dir: string
let path: string
beforeEach(() => {
  dir = scratchDir('hermes-client-')
  path = join(dir, 'control.sock')
})

const failure = async (promise: Promise<unknown>): Promise<HermesError> => {
  const error = await promise.then(
    () => expect.fail('it should have failed'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof HermesError)) throw error
  return error
}

/** Listens as init does, whether a supervisor serves the socket or not. */
class Sockets implements AsyncDisposable {
  readonly #fd: number
  readonly #running = new Set<ChildProcess>()

  constructor(at = path) {
    this.#fd = realNative.listenUnix(at, 511)
  }

  /** Starts a supervisor on the socket; resolves when it serves. */
  async serve(instance: string): Promise<ChildProcess> {
    const program = join(import.meta.dirname, '../support/programs/serve-control.ts')
    const child = spawn(process.execPath, [program, instance], { stdio: ['pipe', 'pipe', 'inherit', this.#fd] })
    this.#running.add(child)
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeSync(this.#fd)
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

describe('no supervisor to talk to', () => {
  test('no socket, and a socket without a listener: NO_SUPERVISOR, exit code 4, with what to do', async () => {
    const none = await failure(connectControl(path))
    expect([none.code, none.exitCode]).toEqual(['NO_SUPERVISOR', 4])
    expect(none.message).toContain(path)
    expect(none.next).toContain('start')
    closeSync(realNative.listenUnix(path, 1))
    expect(await failure(connectControl(path))).toMatchObject({ code: 'NO_SUPERVISOR', exitCode: 4 })
  })

  test('a file in its place, a path that is too long', async () => {
    writeFileSync(path, '')
    expect(await failure(connectControl(path))).toMatchObject({ code: 'NO_SUPERVISOR' })
    expect(await failure(connectControl(`/tmp/${'x'.repeat(200)}`))).toMatchObject({ code: 'NO_SUPERVISOR' })
  })

  test.each(['220 smtp ready\r\n', 'null\n', '5\n'])(
    'something else that listens there does not confuse us: %j',
    async (line) => {
      const server = createServer((socket) => socket.end(line)).listen(path)
      await once(server, 'listening')
      const client = await connectControl(path)
      expect(await failure(client.request('ping', {}))).toMatchObject({ code: 'NO_SUPERVISOR' })
      client.close()
      server.close()
    },
  )
})

test.each([
  [{ code: 'FROM_A_LATER_VERSION', message: 'later' }, 'later'],
  [{}, 'an error without a message'],
])('an error with a code that we do not know is a plain failure: %j', async (error, message) => {
  const server = createServer((socket) => {
    socket.on('data', (text) => {
      const { id } = JSON.parse(String(text)) as { id: number }
      socket.write(`${JSON.stringify({ id, ok: false, error })}\n`)
    })
  }).listen(path)
  await once(server, 'listening')
  const client = await connectControl(path)
  expect(await failure(client.request('ping', {}))).toMatchObject({ code: 'FAILED', exitCode: 1, message })
  client.close()
  server.close()
})

describe('a supervisor that comes and goes', () => {
  test('several requests at once after it has closed the connection share the next one, which close() ends', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('data', (text) => {
        for (const line of String(text).trim().split('\n')) {
          const { id } = JSON.parse(line) as { id: number }
          socket.write(`${JSON.stringify({ id, ok: true, result: { instance: 'x', pid: 1 } })}\n`)
        }
      })
    }).listen(path)
    await once(server, 'listening')
    const client = await connectControl(path)
    await client.request('ping', {})
    sockets[0]?.destroy()
    await waitFor('the client to see it', async () => {
      await Promise.all([1, 2, 3].map(() => client.request('ping', {})))
      return sockets.length > 1
    })
    expect(sockets.length).toBe(2)
    client.close()
    await waitFor('every connection to end', () => sockets.every((socket) => socket.destroyed))
    server.close()
  })

  test('a request put while it is away is answered by the next one', async () => {
    await using sockets = new Sockets()
    const client = await connectControl(path)
    const answer = client.request('ping', {})
    await sockets.serve('late')
    expect(await answer).toMatchObject({ instance: 'late' })
    client.close()
  })

  test('a question whose supervisor dies is put once more, to the next one', async () => {
    await using sockets = new Sockets()
    const first = await sockets.serve('first')
    const client = await connectControl(path)
    const died = failure(client.request('deaths', { slot: 'gateway-a' }))
    await once(first, 'exit')
    // The next one dies of it as well; a third is not asked.
    const second = await sockets.serve('second')
    await once(second, 'exit')
    expect(await died).toMatchObject({ code: 'NO_SUPERVISOR', message: expect.stringContaining('twice') })
    await sockets.serve('third')
    expect(await client.request('ping', {})).toMatchObject({ instance: 'third' })
    client.close()
  })

  test('a command whose supervisor dies is not repeated: it may have been carried out', async () => {
    await using sockets = new Sockets()
    const first = await sockets.serve('first')
    const client = await connectControl(path)
    const died = failure(client.request('start', { slot: 'gateway-a' }))
    await once(first, 'exit')
    await sockets.serve('second')
    const error = await died
    expect([error.code, error.exitCode]).toEqual(['FAILED', 1])
    expect(error.message).toContain('"start"')
    expect(error.next).toContain('hermes status')
    expect(await client.request('ping', {})).toMatchObject({ instance: 'second' })
    client.close()
  })

  test('a connection that was closed for idleness is opened again silently', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('data', () => socket.write('{"id":1,"ok":true,"result":{"instance":"x","pid":1}}\n'))
    }).listen(path)
    await once(server, 'listening')
    const client = await connectControl(path)
    await client.request('ping', {})
    sockets[0]?.destroy()
    await waitFor('the client to see it', async () => {
      await client.request('ping', {})
      return sockets.length === 2
    })
    client.close()
    server.close()
  })
})

test('events for a reader that does not take them stay in the supervisor, which counts what it drops', async () => {
  const event = `{"id":1,"event":{"slot":"a","lines":["${'x'.repeat(10_000)}"]}}\n`
  let sent = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      socket.write('{"id":1,"ok":true,"result":{}}\n')
      if (!String(chunk).includes('"logs"')) return
      const more = (): void => {
        while (sent < 5000) {
          sent++
          if (!socket.write(event)) break
        }
      }
      socket.on('drain', more)
      more()
    })
  }).listen(path)
  await once(server, 'listening')
  const client = await connectControl(path)
  for await (const _ of client.follow('logs', { slots: ['a'] })) {
    let before = -1
    await waitFor('the server to be stopped by us', async () => {
      if (before === sent) return true
      before = sent
      const other = await connectControl(path)
      await other.request('ping', {})
      other.close()
      return false
    })
    break
  }
  // 50 MB were to be had; 256 events, and what the kernel holds, are 3.
  expect(sent).toBeLessThan(1000)
  client.close()
  server.close()
})

describe('replies', () => {
  let own: string
  let sockets: Sockets
  let client: ControlClient
  beforeAll(async () => {
    own = mkdtempSync(join(tmpdir(), 'hermes-client-'))
    sockets = new Sockets(join(own, 'control.sock'))
    await sockets.serve('one')
    client = await connectControl(join(own, 'control.sock'))
  })
  afterAll(async () => {
    client.close()
    await sockets[Symbol.asyncDispose]()
    rmSync(own, { recursive: true })
  })

  test("an error is the supervisor's own, with code, exit code and next step", async () => {
    expect(await failure(client.request('stop', { slot: 'gateway-x' }))).toMatchObject({
      code: 'NO_SUCH_SLOT',
      exitCode: 3,
      message: 'no slot "gateway-x"',
      next: 'hermes status lists them',
    })
  })

  test('several requests at once each get their own', async () => {
    const answers = await Promise.allSettled([
      client.request('ping', {}),
      client.request('stop', { slot: 'gateway-x' }),
      client.request('ping', {}),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  test('an answer that does not come is TIMED_OUT, and the connection goes on', async () => {
    const late = await failure(client.request('status', {}, { timeoutMs: 50 }))
    expect([late.code, late.exitCode]).toEqual(['TIMED_OUT', 5])
    expect(await client.request('ping', {})).toMatchObject({ instance: 'one' })
  })

  test('the default time to answer is ten seconds', async () => {
    const clock = fakeClock()
    const patient = await connectControl(join(own, 'control.sock'), clock)
    const late = failure(patient.request('status', {}))
    await waitFor('the alarm', () => clock.alarms().length > 0)
    expect(clock.alarms()).toEqual([clock.nowMs() + 10_000])
    clock.advance(10_000)
    expect(await late).toMatchObject({ code: 'TIMED_OUT' })
    patient.close()
  })

  test('events come in order, none is lost while the reader keeps up, and those it missed are counted', async () => {
    let seen = 0
    let missed = 0
    for await (const event of client.follow('events', {})) {
      missed += event.missed ?? 0
      seen++
      if (event.slot.restarts === 9_999) break
    }
    expect(seen + missed).toBe(10_000)
    expect(await client.request('ping', {})).toMatchObject({ instance: 'one' })
  })

  test('a stream that is aborted ends quietly, before, while and after it waits', async () => {
    const abort = new AbortController()
    let started = 0
    let seen = 0
    const followed = (async () => {
      for await (const _ of client.follow('events', {}, { signal: abort.signal, onStart: () => started++ })) seen++
    })()
    await waitFor('the events', () => seen > 0 && started === 1)
    abort.abort()
    await followed
    for await (const _ of client.follow('events', {}, { signal: abort.signal })) expect.fail('it was aborted before')
  })

  test('a stream that is aborted while it connects ends as well', async () => {
    const abort = new AbortController()
    const first = client.follow('events', {}, { signal: abort.signal })[Symbol.asyncIterator]().next()
    abort.abort()
    expect(await within('the stream to end', first)).toMatchObject({ done: true })
  })

  test('a stream whose supervisor dies gives what had come, then NO_SUPERVISOR', async () => {
    const lines: string[] = []
    const read = async (): Promise<void> => {
      for await (const event of client.follow('logs', { slots: ['gateway-a'] })) lines.push(...event.lines)
    }
    expect(await failure(read())).toMatchObject({ code: 'NO_SUPERVISOR' })
    expect(lines).toEqual(['one', 'two'])
  })
})

test('an older supervisor, which does not know the operation, is asked for a slot in its way', async () => {
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('data', (text) => {
      for (const line of String(text).trim().split('\n')) {
        const { id, op } = JSON.parse(line) as { id: number; op: string }
        asked.push(op)
        const answer =
          op === 'register' || op === 'unregister'
            ? { ok: false, error: { code: 'BAD_REQUEST', message: `there is no operation "${op}"` } }
            : { ok: true, result: op === 'reconcile' ? { steps: [] } : { slots: [{ slot: 'gateway-a' }] } }
        socket.write(`${JSON.stringify({ id, ...answer })}\n`)
      }
    })
  }).listen(path)
  await once(server, 'listening')
  const client = await connectControl(path)
  expect(await registerSlot(client, 'gateway-a')).toEqual({ slot: 'gateway-a' })
  expect(await failure(registerSlot(client, 'gateway-b'))).toMatchObject({ code: 'NO_SUCH_SLOT' })
  expect(asked.slice(0, 3)).toEqual(['register', 'reconcile', 'status'])
  await unregisterSlot(client, 'gateway-a')
  expect(asked.slice(-2)).toEqual(['unregister', 'reconcile'])
  client.close()
  server.close()
})
