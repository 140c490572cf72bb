import { createConnection } from 'node:net'

/** A connection to a Unix socket, as the client of a line protocol needs it. */
export interface UnixStream {
  /** Starts reading. Called once, in the turn in which the connection was made. */
  read(events: UnixStreamEvents): void
  write(text: string): void
  pause(): void
  resume(): void
  /** Ends the connection; `closed` follows. @param cause what `closed` gets */
  destroy(cause?: Error): void
}

export interface UnixStreamEvents {
  /** A part of what the other end writes: UTF-8, cut between characters. */
  text(chunk: string): void
  /** Nothing follows. @param cause the error that ended the connection, if any */
  closed(cause: Error | undefined): void
}

/** @throws ErrnoException: ENOENT, ECONNREFUSED, EACCES, EAGAIN … as connect(2) says */
export type ConnectUnix = (path: string) => Promise<UnixStream>

/** Connects by node:net, for programs that live long. */
export function connectByNet(path: string): Promise<UnixStream> {
  const { promise, resolve, reject } = Promise.withResolvers<UnixStream>()
  const socket = createConnection(path)
  let cause: Error | undefined
  socket.on('error', (error) => {
    cause = error
    reject(error)
  })
  socket.once('connect', () =>
    resolve({
      read: ({ text, closed }) => {
        socket.setEncoding('utf8')
        socket.on('data', text)
        socket.on('close', () => closed(cause))
      },
      write: (text) => void socket.write(text),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      destroy: (error) => void socket.destroy(error),
    }),
  )
  return promise
}
