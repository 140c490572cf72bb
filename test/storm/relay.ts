// A TCP relay that delays: for what the kernel cannot delay by itself here.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Relay extends AsyncDisposable {
  readonly port: number
}

/**
 * Listens on `host`, and passes everything on to `port` of the same host, `delayMs` late in each direction. Ends of
 * connections pass at once.
 */
export async function startRelay(host: string, port: number, delayMs: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (bytes: Buffer) => {
      setTimeout(() => to.writable && to.write(bytes), delayMs)
    })
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    from.on('error', () => undefined) // its close follows
    sockets.add(from)
  }
  const server = createServer((near) => {
    const far = connect({ host, port })
    pass(near, far)
    pass(far, near)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
