import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { connectQuickly } from '../../../src/system/net/quick-unix-stream.ts'
import { type ConnectUnix, connectByNet, type UnixStream } from '../../../src/system/net/unix-stream.ts'
import { scratchDir } from '../../support/scratch.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { waitFor } from '../../support/wait.ts'

const CONNECTORS: readonly (readonly [string, ConnectUnix])[] = [
  ['node:net', connectByNet],
  ["Node's own handle", connectQuickly],
]

let dir: string
let path: string
beforeEach(() => {
  dir = scratchDir('hermes-unix-stream-')
  path = join(dir, 'socket')
})

/** A listener whose first connection is `peer`. */
async function listening(use: (peer: Promise<Socket>) => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    socket.on('error', () => undefined)
    resolve(socket)
  }).listen(path)
  await once(server, 'listening')
  try {
    await use(promise)
  } finally {
    server.close()
    ;(await promise).destroy()
  }
}

/** Collects all that a stream delivers. */
function seenOf(stream: UnixStream) {
  const seen: { text: string; chunks: string[]; closed: (Error | undefined)[] } = { text: '', chunks: [], closed: [] }
  stream.read({
    text: (chunk) => {
      seen.text += chunk
      seen.chunks.push(chunk)
    },
    closed: (cause) => void seen.closed.push(cause),
  })
  return seen
}

test('a Node with the handles that we know does not load node:net for a quick connection', async () => {
  await listening(async () => {
    const stream = await connectQuickly(path)
    expect(stream.constructor.name).toBe('QuickStream')
    stream.destroy()
  })
})

describe.each(CONNECTORS)('a connection by %s', (_, connect) => {
  test('carries what both ends write, and ends once when the other end does', async () => {
    await listening(async (peer) => {
      const stream = await connect(path)
      const seen = seenOf(stream)
      stream.write('question\n')
      const server = await peer
      expect(String((await once(server, 'data'))[0])).toBe('question\n')
      server.end('answer\n')
      await waitFor('the end', () => seen.closed.length === 1)
      expect([seen.text, seen.closed]).toEqual(['answer\n', [undefined]])
    })
  })

  test('delivers a character that two reads cut in half as one', async () => {
    await listening(async (peer) => {
      const seen = seenOf(await connect(path))
      const server = await peer
      const bytes = Buffer.from('\ufeffgrüße 🜚\n')
      for (const byte of bytes) {
        const before = seen.chunks.length
        server.write(Buffer.from([byte]))
        // Each byte is a read of its own; one below 0x80 is a character, whose arrival can be seen.
        if (byte < 0x80) await waitFor('the byte to arrive', () => seen.chunks.length > before)
        else await new Promise((resolve) => setImmediate(resolve))
      }
      expect(seen.text).toBe(bytes.toString())
    })
  })

  test('delivers nothing while it is paused, and all of it afterwards', async () => {
    await listening(async (peer) => {
      const stream = await connect(path)
      const seen = seenOf(stream)
      const server = await peer
      server.write('first\n')
      await waitFor('the first line', () => seen.text === 'first\n')
      stream.pause()
      // More than the kernel holds for a socket: the writer ends only when the client reads.
      const bytes = 4_000_000
      const flushed = new Promise((resolve) => server.write('x'.repeat(bytes), resolve))
      await waitFor('the writer to be held up', () => server.writableLength > 0)
      expect(seen.text.length).toBeLessThan(bytes)
      stream.resume()
      await flushed
      await waitFor('the rest', () => seen.text.length === bytes + 'first\n'.length)
      stream.destroy()
    })
  })

  test('writes more than the other end takes at once', async () => {
    await listening(async (peer) => {
      const stream = await connect(path)
      seenOf(stream)
      const text = 'ü'.repeat(1_000_000)
      stream.write(text)
      stream.write('\n')
      let got = ''
      ;(await peer).setEncoding('utf8').on('data', (chunk) => {
        got += chunk
      })
      await waitFor('all of it', () => got.length === text.length + 1)
      expect(got === `${text}\n`).toBe(true)
      stream.destroy()
    })
  })

  test('gives the cause for which it was destroyed, and ignores what is written later', async () => {
    await listening(async () => {
      const stream = await connect(path)
      const seen = seenOf(stream)
      const cause = new Error('not our protocol')
      stream.destroy(cause)
      stream.destroy()
      stream.pause()
      stream.resume()
      await waitFor('the end', () => seen.closed.length > 0)
      expect(seen.closed).toEqual([cause])
    })
  })

  test('a write to an end that has gone ends the connection', async () => {
    await listening(async (peer) => {
      const stream = await connect(path)
      ;(await peer).destroy()
      await once(await peer, 'close')
      const seen = seenOf(stream)
      stream.write('too late\n')
      await waitFor('the end', () => seen.closed.length > 0)
      expect(seen.closed).toHaveLength(1)
    })
  })

  test('fails with the code of connect(2): no file, no socket, nothing that listens, a path that is too long', async () => {
    await expect(connect(path)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'connect' })
    writeFileSync(path, '')
    await expect(connect(path)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(connect(`/tmp/${'x'.repeat(200)}`)).rejects.toMatchObject({ code: expect.stringMatching(/^E/) })
  })

  test('fails with EAGAIN while the queue of connections is full', async () => {
    realNative.listenUnix(path, 0)
    const waiting = [await connect(path)]
    await expect(connect(path)).rejects.toMatchObject({ code: 'EAGAIN' })
    for (const stream of waiting) stream.destroy()
  })
})
