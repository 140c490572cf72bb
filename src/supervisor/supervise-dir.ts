import { closeSync, constants, fstatSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Native, NativeError } from '../system/native.ts'
import { below } from '../system/paths.ts'

const { O_WRONLY, O_RDWR, O_CREAT, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants

/** s6-svc writes a few letters at a time; a page is the least a pipe can have. */
const CONTROL_PIPE_BYTES = 4096

/** What shows that a slot is supervised, and takes commands: `supervise/lock`, held, and `supervise/control`, read. Two descriptors. */
export class SuperviseDir {
  readonly #lockFd: number
  readonly #control: Socket

  private constructor(lockFd: number, control: Socket) {
    this.#lockFd = lockFd
    this.#control = control
  }

  /**
   * @param dir the slot directory; `supervise/` is there
   * @param command called with each byte that is written to `control`, in order
   * @returns undefined while another process holds the lock
   * @throws the error of the file system or the native call
   */
  static open(
    dir: string,
    native: Pick<Native, 'mkfifo' | 'tryLock' | 'setPipeSize'>,
    command: (letter: string) => void,
  ): SuperviseDir | undefined {
    const lockFd = openSync(
      below(dir, 'supervise', 'lock'),
      O_WRONLY | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY,
      0o644,
    )
    try {
      // Where the file system has no locks, s6-svok says "not running", but control works.
      if (native.tryLock(lockFd) === 'busy') {
        closeSync(lockFd)
        return undefined
      }
      return new SuperviseDir(lockFd, openControl(below(dir, 'supervise', 'control'), native, command))
    } catch (error) {
      closeSync(lockFd)
      throw error
    }
  }

  close(): void {
    this.#control.destroy()
    closeSync(this.#lockFd)
  }
}

function openControl(
  path: string,
  native: Pick<Native, 'mkfifo' | 'setPipeSize'>,
  command: (letter: string) => void,
): Socket {
  try {
    native.mkfifo(path, 0o600)
  } catch (error) {
    // The one an earlier supervisor made, perhaps opened up to a group by s6-svperms: it stays as it is.
    if (!(error instanceof NativeError && error.code === 'EEXIST')) throw error
  }
  // O_RDWR (fifo(7): Linux allows it): our own write end is what keeps a writer's close from being an end of file, for one descriptor
  // instead of two. Never O_RDONLY without O_NONBLOCK: that waits for a writer.
  const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
  try {
    if (!fstatSync(fd).isFIFO()) throw new Error(`${path} is not a FIFO; remove it`)
    native.setPipeSize(fd, CONTROL_PIPE_BYTES)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  const socket = new Socket({ fd, readable: true, writable: false })
  socket.on('data', (bytes: Buffer) => {
    for (const byte of bytes) command(String.fromCharCode(byte))
  })
  // Reading our own FIFO cannot fail in a way that anything could be done about.
  socket.on('error', () => undefined)
  // What keeps the supervisor running is its link to init, not a thousand FIFOs.
  socket.unref()
  return socket
}

const SUBSCRIBER = /^ftrig1:@.{31}$/

/** Writes letters to everybody who listens in `event/`, never waiting for anybody; listeners that are gone are removed. */
export function notifySubscribers(eventDir: string, letters: string): void {
  for (const name of readdirSync(eventDir)) {
    if (!SUBSCRIBER.test(name)) continue
    const path = below(eventDir, name)
    let fd: number
    try {
      fd = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
    } catch (error) {
      // ENXIO: nobody reads it any more. Anything else is not ours to tidy.
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') remove(path)
      continue
    }
    try {
      if (fstatSync(fd).isFIFO()) writeSync(fd, letters)
    } catch (error) {
      // EAGAIN: it does not read; what it misses it finds in the status.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') remove(path)
    } finally {
      closeSync(fd)
    }
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
