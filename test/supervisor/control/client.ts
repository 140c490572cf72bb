import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Op } from '../../../src/protocol/control.ts'
import type { ControlLimits } from '../../../src/supervisor/control/limits.ts'
import { type ControlServer, type Handlers, serveControl } from '../../../src/supervisor/control/server.ts'
import { type Clock, systemClock } from '../../../src/system/clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { waitFor } from '../../support/wait.ts'
import { handlers } from './handlers.ts'

export { aSlot } from './handlers.ts'

export interface ServerUnderTest extends Disposable {
  readonly path: string
  readonly server: ControlServer
  readonly warnings: readonly string[]
}

/** A server on a socket that another process has bound, as the supervisor has it from init. */
export function startServer(
  some: Partial<Handlers> = {},
  { clock = systemClock(), limits = {} }: { clock?: Clock; limits?: Partial<ControlLimits> } = {},
): ServerUnderTest {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-control-'))
  const path = join(dir, 'control.sock')
  const fd = realNative.listenUnix(path, 511)
  const warnings: string[] = []
  const server = serveControl({ fd, handlers: handlers(some), clock, warn: (text) => warnings.push(text), limits })
  return {
    path,
    server,
    warnings,
    [Symbol.dispose]() {
      server.close()
      rmSync(dir, { recursive: true })
    },
  }
}

/** A client that can be as rude as the test wants. */
export class RawClient {
  readonly socket: Socket
  readonly lines: string[] = []
  closed = false
  #unfinished = ''

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (chunk: Buffer | string) => {
      const pieces = (this.#unfinished + String(chunk)).split('\n')
      this.#unfinished = pieces.pop() ?? ''
      this.lines.push(...pieces)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** `allowHalfOpen`: goes on sending after the server has ended the connection. */
  static async connect(path: string, { allowHalfOpen = false } = {}): Promise<RawClient> {
    const socket = createConnection({ path, allowHalfOpen })
    const client = new RawClient(socket)
    await once(socket, 'connect')
    return client
  }

  send(op: Op, id: number, body: object = {}): void {
    this.socket.write(`${JSON.stringify({ v: 1, id, op, ...body })}\n`)
  }

  async reply(index = 0): Promise<Record<string, unknown>> {
    const line = await waitFor(`line ${index + 1}`, () => this.lines[index] ?? (this.closed && 'null'))
    return JSON.parse(line)
  }

  gone(): Promise<unknown> {
    return waitFor('the end of the connection', () => this.closed)
  }
}
