import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { idleConnections } from '../../../src/system/net/idle-connections.ts'
import { waitFor } from '../../support/wait.ts'

/** Far more than the buffers of both sockets. */
const SIZE = 30_000_000
const host = '127.0.0.1'

test('a connection that waits for a request is closed, and one whose answer a slow client still takes is not', async () => {
  let open = 0
  const server = createServer((request, response) => {
    if (request.url === '/large') response.end(Buffer.alloc(SIZE))
    else if (request.url === '/short') response.end('short')
    else response.write('begun')
  })
  server.on('connection', (socket) => {
    open += 1
    socket.once('close', () => {
      open -= 1
    })
  })
  const closeIdle = idleConnections(server)
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const ask = async (path: string): Promise<IncomingMessage> => {
    const [answer] = await once(
      get({ host, port, path, agent: false, headers: { connection: 'keep-alive' } }),
      'response',
    )
    return answer as IncomingMessage
  }
  const [large, begun, short] = await Promise.all(['/large', '/begun', '/short'].map(ask))
  if (large === undefined || begun === undefined || short === undefined) throw new Error('three answers')
  const silent = connect({ host, port })
  await once(silent, 'connect')
  short.resume()
  await once(short, 'end')
  await waitFor('four connections', () => open === 4)
  // The server may not have seen that its short answer is over.
  await waitFor('the idle ones to be closed', () => {
    closeIdle()
    return open === 2
  })
  let size = 0
  for await (const chunk of large as AsyncIterable<Buffer>) size += chunk.length
  expect(size).toBe(SIZE)
  await waitFor('the large one to be closed', () => {
    closeIdle()
    return open === 1
  })
  expect(begun.destroyed).toBe(false)
  silent.destroy()
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  begun.on('error', () => undefined) // it is cut off here
  await closed
})
