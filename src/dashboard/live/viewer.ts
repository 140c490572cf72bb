import type { ServerResponse } from 'node:http'
import type { Cancel, Clock } from '../../system/clock.ts'
import { STREAM_HEADERS } from '../gate/headers.ts'

/** One browser that listens to server-sent events. */
export interface Viewer {
  /**
   * Sends an event.
   * @param frame as {@link frame} makes it; one for all viewers of the same thing
   * @returns false: so much waits for this viewer already that it was not taken
   */
  send(frame: Buffer): boolean
  /** Called when it has read everything after a `send` was refused. */
  onDrain(callback: () => void): void
  /** Called once; at once if the viewer has gone already. */
  onClose(callback: () => void): void
  close(): void
}

/** Maximum of unsent data per viewer. */
const MAX_WAITING_BYTES = 256 * 1024
/** A comment, so that neither proxies nor browsers take a quiet stream for a dead one. */
const HEARTBEAT = ': \n\n'
const HEARTBEAT_MS = 15_000
/** A viewer that takes nothing for this long counts as gone, whatever TCP reports. */
const STALLED_MS = 60_000

/** Bytes, so that a text for fifty viewers is encoded once. */
export const frame = (event: string, data: unknown): Buffer =>
  Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

/** Turns a response into a stream of events; its headers are sent now. */
export function viewerOf(
  response: ServerResponse,
  headers: Readonly<Record<string, string | readonly string[]>>,
  clock: Clock,
): Viewer {
  const closing: (() => void)[] = []
  const draining: (() => void)[] = []
  let refused = false
  let movedAtMs = clock.nowMs()
  let cancel: Cancel = () => undefined
  response.writeHead(200, {
    ...(headers as Record<string, string | string[]>),
    ...STREAM_HEADERS,
  })
  response.write(HEARTBEAT)
  response.on('drain', () => {
    movedAtMs = clock.nowMs()
    if (!refused) return
    refused = false
    for (const callback of draining) callback()
  })
  response.once('close', () => {
    cancel()
    for (const callback of closing.splice(0)) callback()
  })
  const beat = (): void => {
    if (response.destroyed || response.writableEnded) return
    if (response.writableLength === 0) response.write(HEARTBEAT)
    else if (clock.nowMs() - movedAtMs >= STALLED_MS) return void response.destroy()
    cancel = clock.at(clock.nowMs() + HEARTBEAT_MS, beat)
  }
  cancel = clock.at(clock.nowMs() + HEARTBEAT_MS, beat)
  return {
    send(bytes) {
      if (response.writableLength > MAX_WAITING_BYTES) refused = true
      // After `end`, the connection stays open as long as its last bytes are not read.
      if (refused || response.destroyed || response.writableEnded) return false
      if (response.writableLength === 0) movedAtMs = clock.nowMs()
      response.write(bytes)
      return true
    },
    onDrain: (callback) => void draining.push(callback),
    onClose(callback) {
      if (response.destroyed) callback()
      else closing.push(callback)
    },
    close: () => void response.end(),
  }
}
