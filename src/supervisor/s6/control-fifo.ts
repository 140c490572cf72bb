import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Native, NativeError } from '../../system/native/native.ts'

const { O_RDWR, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants

export type ControlNative = Pick<Native, 'mkfifo' | 'tryLock' | 'setPipeSize'>

/** Takes commands; calls `done` when it has dealt with them and wants more. */
export type CommandReader = (commands: Buffer, done: () => void) => void

/** s6-svc writes a few commands at a time; a page is the least a pipe can have. */
const PIPE_BYTES = 4096

/**
 * A FIFO that s6's tools write commands into. Nothing more is read while commands wait, so a flood waits in the pipe,
 * with its writer.
 */
export class ControlFifo {
  readonly #socket: Socket

  /** @throws the error of the file system or the native call */
  constructor(path: string, native: ControlNative, read: CommandReader) {
    this.#socket = new Socket({ fd: openFifo(path, native), readable: true, writable: false })
    this.#socket.on('data', (bytes: Buffer) => {
      this.#socket.pause()
      read(bytes, () => this.#socket.resume())
    })
    // Reading our own FIFO cannot fail in a way that anything could be done about.
    this.#socket.on('error', () => undefined)
    // The link to init keeps the supervisor running, not a thousand FIFOs.
    this.#socket.unref()
  }

  close(): void {
    this.#socket.destroy()
  }
}

function openFifo(path: string, native: ControlNative): number {
  try {
    native.mkfifo(path, 0o600)
  } catch (error) {
    // Created by an earlier supervisor, and perhaps opened to a group by s6-svperms: it is left unchanged.
    if (!(error instanceof NativeError && error.code === 'EEXIST')) throw error
  }
  // O_RDWR (fifo(7): Linux allows it): our own write end is what keeps a writer's close from being an end of file, for
  // one descriptor instead of two. Never O_RDONLY without O_NONBLOCK: that waits for a writer.
  const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
  try {
    if (!fstatSync(fd).isFIFO()) throw new Error(`${path} is not a FIFO; remove it`)
    native.setPipeSize(fd, PIPE_BYTES)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
