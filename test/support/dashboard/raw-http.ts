import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { within } from '../wait.ts'

export interface RawAnswer {
  readonly code: number
  /** As they stand on the wire, one a line. */
  readonly head: string
  readonly body: string
  /** Our half of the connection is still open. */
  readonly socket: Socket
}

/**
 * A request as it is written here, byte for byte; reads until the other side has ended its half.
 * @param lines of the head; the lengths are up to the caller
 */
export async function askRaw(port: number, lines: readonly string[], body = ''): Promise<RawAnswer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
  await within('the end of the answer', once(socket, 'end'), { seen: () => text })
  const [head = '', ...rest] = text.split('\r\n\r\n')
  return { code: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]), head, body: rest.join('\r\n\r\n'), socket }
}
