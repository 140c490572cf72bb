import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { unlessCode } from '../../system/error-code.ts'
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
  readonly #fd: number
  readonly #socket: Socket
  readonly #read: CommandReader

  /** @throws the error of the file system or the native call */
  constructor(path: string, native: ControlNative, read: CommandReader) {
    this.#fd = openFifo(path, native)
    this.#read = read
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false })
    this.#socket.on('data', (bytes: Buffer) => this.#pass(bytes))
    // Reading our own FIFO cannot fail in a way that anything could be done about.
    this.#socket.on('error', () => undefined)
    // The link to init keeps the supervisor running, not a thousand FIFOs.
    this.#socket.unref()
  }

  /**
   * Passes on what has been written so far, without waiting for the loop to find it; to be called when everything
   * passed on before has been dealt with.
   * @returns whether there was anything
   */
  readNow(): boolean {
    if (this.#socket.destroyed) return false
    // First what the socket has read and not passed on: `read` emits it as `data`.
    if (this.#socket.read() !== null) return true
    const bytes = Buffer.allocUnsafe(PIPE_BYTES)
    const count = unlessCode(['EAGAIN'], () => readSync(this.#fd, bytes)) ?? 0
    if (count > 0) this.#pass(bytes.subarray(0, count))
    return count > 0
  }

  #pass(bytes: Buffer): void {
    this.#socket.pause()
    this.#read(bytes, () => this.#socket.resume())
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
