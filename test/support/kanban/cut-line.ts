/** A TCP relay that can be cut, as a network is: connections stay open, and nothing passes. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CutLine extends AsyncDisposable {
  readonly port: number
  cut(): void
  /** Data that was sent in the meantime is lost with its connections. */
  join(): void
}

/** Passes everything on to `port` of this machine. */
export async function cutLine(port: number): Promise<CutLine> {
  const sockets = new Set<Socket>()
  let isCut = false
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.on('data', (bytes: Buffer) => isCut || to.write(bytes))
    from.on('error', () => undefined) // its close follows
    from.on('close', () => {
      sockets.delete(from)
      if (!isCut) to.destroy()
    })
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port })
    pass(near, far)
    pass(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
    },
    join() {
      isCut = false
      drop()
    },
    async [Symbol.asyncDispose]() {
      isCut = false
      server.close()
      drop()
      await once(server, 'close')
    },
  }
}
