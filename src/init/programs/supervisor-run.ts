import type { Socket } from 'node:net'
import { encodeMessage, type ToSupervisor } from '../../protocol/init.ts'
import type { Spawned } from '../processes/processes.ts'

/** One process of the supervisor, and how far it has come. */
export interface SupervisorRun {
  readonly started: Spawned
  readonly socket: Socket
  readonly startedAtMs: number
  /** Number of pings since its last message. */
  unanswered: number
  /** `restoring`: it has sent hello, and gets back the data of its predecessor. */
  stage: 'loading' | 'restoring' | 'listening' | 'doomed' | 'dead'
  hasSentHello: boolean
  /** The last event it was sent. */
  deliveredSeq: number
  awaitsDrain: boolean
  badMessages: number
}

/**
 * Sends these messages, as fast as they are read. Ends silently if the life reaches another stage in the meantime.
 * @param done called when all have been sent
 */
export function sendAll(run: SupervisorRun, messages: Iterator<ToSupervisor>, done: () => void): void {
  const { socket, stage } = run
  while (!socket.writableNeedDrain) {
    const next = messages.next()
    if (next.done) {
      if (stage === 'restoring') run.stage = 'listening'
      done()
      return
    }
    socket.write(encodeMessage(next.value))
  }
  run.awaitsDrain = true
  socket.once('drain', () => {
    run.awaitsDrain = false
    if (run.stage === stage) sendAll(run, messages, done)
  })
}
