/** Sends messages of syslog over TCP or UDP. */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import type { Attempt } from '../../notify/retry.ts'
import type { Clock } from '../../system/clock.ts'

/** Longest time to connect and to hand the bytes over. */
const SEND_MS = 10_000
/** A server that has read everything ends the connection, too. One that does not is believed after this time. */
const CLOSE_MS = 5000
const DEFAULT_PORT = 514

export interface SendPlace {
  readonly host: string
  readonly port: number
}

/** @param url `tcp://HOST:PORT` or `udp://HOST:PORT` */
export function placeOf(url: string): SendPlace {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_PORT : Number(port) }
}

/**
 * Sends bytes on a connection of their own, and waits until the server has read them to the end: syslog has no answer,
 * and what is only in the buffers of a connection is lost with it. Never rejects.
 */
export async function sendStream(
  { host, port }: SendPlace,
  bytes: Buffer,
  clock: Clock,
  signal: AbortSignal,
): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>()
  const where = `tcp://${host}:${port}`
  const socket = connect({ host, port })
  const failed = (text: string): void => resolve({ is: 'failed', text: `${where} ${text}` })
  const taken = (): void => resolve({ is: 'delivered', text: 'sent' })
  const abort = (): void => failed('was not waited for, because the program ends')
  signal.addEventListener('abort', abort)
  const late = clock.at(clock.nowMs() + SEND_MS, () => failed(`does not take the lines within ${SEND_MS / 1000} s`))
  let cancel = late
  socket.on('error', (error: NodeJS.ErrnoException) => failed(`cannot be reached: ${error.code ?? 'error'}`))
  let isSent = false
  socket.on('close', () => (isSent ? taken() : failed('has closed the connection')))
  // Its own bytes are read and dropped, or its end would never be seen.
  socket.resume()
  socket.end(bytes, (error?: Error | null) => {
    if (error) return
    isSent = true
    cancel()
    cancel = clock.at(clock.nowMs() + CLOSE_MS, taken)
  })
  if (signal.aborted) abort()
  try {
    return await promise
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/** Sends each message as a datagram. Nothing reports whether one arrives. Never rejects. */
export async function sendDatagrams({ host, port }: SendPlace, messages: readonly Buffer[]): Promise<Attempt> {
  const where = `udp://${host}:${port}`
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((done, fail) => {
      socket.once('error', fail)
      socket.connect(port, host, done)
    })
    for (const message of messages)
      await new Promise<void>((done, fail) => socket.send(message, (error) => (error ? fail(error) : done())))
    return { is: 'delivered', text: 'sent' }
  } catch (error) {
    return { is: 'failed', text: `${where} cannot be reached: ${(error as NodeJS.ErrnoException).code ?? 'error'}` }
  } finally {
    socket.close()
  }
}
