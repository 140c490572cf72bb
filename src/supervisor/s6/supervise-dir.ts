import { closeSync, constants, fstatSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs'
import { SUBSCRIBER, unixMsOf } from '../../protocol/s6.ts'
import { unlessCode } from '../../system/error-code.ts'
import { below } from '../../system/paths.ts'
import { type CommandReader, ControlFifo, type ControlNative } from './control-fifo.ts'

const { O_WRONLY, O_CREAT, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants

/**
 * Shows that a directory is supervised, and accepts commands: its `lock`, held, and its `control`, read. Two
 * descriptors.
 */
export class ControlDir {
  readonly #lockFd: number
  readonly #control: ControlFifo

  private constructor(lockFd: number, control: ControlFifo) {
    this.#lockFd = lockFd
    this.#control = control
  }

  /**
   * @param dir a slot's `supervise`, or `.s6-svscan`; it exists
   * @param lockMode mode of a newly created lock; an existing one keeps its own
   * @param read receives what is written to `control`, in order
   * @returns undefined while another process holds the lock
   * @throws the error of the file system or the native call
   */
  static open(dir: string, lockMode: number, native: ControlNative, read: CommandReader): ControlDir | undefined {
    const lockFd = openSync(below(dir, 'lock'), O_WRONLY | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY, lockMode)
    try {
      // On a file system without locks, s6-svok reports "not running", but control works.
      if (native.tryLock(lockFd) === 'busy') {
        closeSync(lockFd)
        return undefined
      }
      return new ControlDir(lockFd, new ControlFifo(below(dir, 'control'), native, read))
    } catch (error) {
      closeSync(lockFd)
      throw error
    }
  }

  /** See {@link ControlFifo.readNow}. */
  readNow(): boolean {
    return this.#control.readNow()
  }

  close(): void {
    this.#control.close()
    closeSync(this.#lockFd)
  }
}

/** An event for subscribers. */
export interface Event {
  /** One byte, as in s6's ftrigw. */
  readonly code: string
  /** Unix ms from which on the status shows it to all readers; absent: a moment ago, or the status does not show it. */
  readonly shownFromMs?: number
}

/**
 * Notifies all listeners in `event/` without ever waiting; listeners that have exited are removed.
 * @returns events for listeners whose FIFO we may not write: s6's tools of other users
 * @param nowMs Unix ms: a listener that subscribed after the status showed an event has read about it, and is not
 * notified again
 */
export function notifySubscribers(eventDir: string, events: readonly Event[], nowMs: number): string {
  let forOthers = ''
  for (const name of readdirSync(eventDir)) {
    const stamp = SUBSCRIBER.exec(name)?.[1]
    if (stamp === undefined) continue
    const sinceMs = unixMsOf(stamp)
    // A stamp of the future is one from before the clock was set back.
    const news = events.filter(
      ({ shownFromMs }) => shownFromMs === undefined || sinceMs < shownFromMs || sinceMs > nowMs,
    )
    const path = below(eventDir, name)
    let fd: number
    try {
      fd = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
    } catch (error) {
      // ENXIO: it has no reader any more. Other entries are not ours to remove.
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENXIO') remove(path)
      // A listener that subscribes between two events may get one of them twice, as with s6-supervise.
      if (code === 'EACCES' && news.length > forOthers.length) forOthers = codesOf(news)
      continue
    }
    try {
      if (news.length > 0 && fstatSync(fd).isFIFO()) writeSync(fd, codesOf(news))
    } catch (error) {
      // EAGAIN: it does not read; what it misses it finds in the status.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') remove(path)
    } finally {
      closeSync(fd)
    }
  }
  return forOthers
}

const codesOf = (events: readonly Event[]): string => events.map(({ code }) => code).join('')

const remove = (path: string): void => unlessCode(['ENOENT'], () => unlinkSync(path))
