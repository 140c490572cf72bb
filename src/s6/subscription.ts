import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, constants, openSync, renameSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { subscriberName } from '../protocol/s6.ts'
import type { Native } from '../system/native/native.ts'
import { type S6Error, systemError } from './error.ts'

const { O_RDWR, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants

/** A listener to a slot's events, with a FIFO of its own in `event/`. */
export interface Subscription {
  close(): void
}

/**
 * From here on no event is missed: subscribe first and read the status then.
 * @param dir the slot directory
 * @param receive called with the events as they come, some at a time, in their order
 * @throws S6Error 111
 */
export function subscribe(
  dir: string,
  native: Pick<Native, 'mkfifo'>,
  wallMs: number,
  receive: (events: string) => void,
): Subscription {
  const name = subscriberName(wallMs, randomBytes(5).toString('base64url').slice(0, 6))
  const scratch = join(dir, 'event', `.${name}`)
  const path = join(dir, 'event', name)
  const failed = (error: unknown): S6Error => systemError(`unable to subscribe to events for ${dir}`, error)
  try {
    native.mkfifo(scratch, 0o600)
  } catch (error) {
    throw failed(error)
  }
  let fd: number | undefined
  try {
    // The supervisor may run as another user: it writes, and reads nothing.
    chmodSync(scratch, 0o622)
    // Our own write end keeps a notifier's close from being an end of file.
    fd = openSync(scratch, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
    renameSync(scratch, path)
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    rmSync(scratch, { force: true })
    throw failed(error)
  }
  const socket = new Socket({ fd, readable: true, writable: false })
  socket.on('data', (bytes: Buffer) => receive(bytes.toString('latin1')))
  // Our own FIFO: a failing read would have nothing to tell.
  socket.on('error', () => undefined)
  return {
    close() {
      socket.destroy()
      rmSync(path, { force: true })
    },
  }
}
