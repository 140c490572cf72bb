import { closeSync, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Cancel, Clock } from '../../system/clock.ts'
import { type ConsoleSink, writeToSink } from '../../system/native/console-sink.ts'
import type { Native } from '../../system/native/native.ts'
import { ATOMIC_BYTES, countLines, NEWLINE, packEnd } from '../lines.ts'
import { ReaderWatch } from './reader-watch.ts'
import { WaitingLines } from './waiting-lines.ts'

/** Lines that may wait; beyond it whole lines are left out if the reader has stopped. */
const MAX_WAITING_BYTES = 1_000_000
/** From here on sources are held back. Each of them may add one more chunk. */
const HIGH_WATER_BYTES = MAX_WAITING_BYTES - 70_000
/** Until here sources are held back, or lines left out: else each line would stop and start them, or need a notice. */
const LOW_WATER_BYTES = 500_000
/** A source of which no more waits is not the one that floods. */
const QUIET_BYTES = 16_384
/** How often a full sink that cannot be polled is tried: doubling while nothing moves. */
const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 500

/** No room now: wait. Anything else ends the copy for good: EPIPE (no reader), EIO (the terminal is gone). */
const NO_ROOM = new Set(['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM', 'ENOSPC', 'EDQUOT'])

export type ConsoleNative = Pick<Native, 'sendNonblocking' | 'hasRoom' | 'pipeRoom'>

const plainNotice = (lines: number): string =>
  `hermes: lines left out here: ${lines}; this output was not read in time, the log files have them\n`

/**
 * The container's stdout or stderr. Takes whole lines and never blocks, waits or throws. Lines that the reader does
 * not take wait here. While it reads, sources of which much waits and that ask {@link mayContinue} are held back, so
 * nothing is left out. When the reader has stopped, whole lines are left out instead and a notice says how many once
 * it reads again.
 */
export class ConsoleWriter {
  readonly #sink: ConsoleSink
  readonly #native: ConsoleNative
  readonly #clock: Clock
  readonly #notice: (lines: number) => string
  readonly #waiting = new WaitingLines(MAX_WAITING_BYTES)
  readonly #isPipe: boolean
  #leftOut = 0
  #ended: boolean
  #retryMs = FIRST_RETRY_MS
  #cancel: Cancel | undefined
  /** Polls a FIFO for us; undefined: not needed yet. */
  #poller: Socket | undefined
  /** The poller writes the first of the waiting lines. */
  #polling = false
  readonly #reader: ReaderWatch
  /** Called when less of the source's lines waits, or the reader has stopped. */
  readonly #heldBack = new Map<object, () => void>()
  /** Called when nothing waits, or the reader has stopped. */
  #emptied: (() => void)[] = []

  /** @param notice the line, newline included, that stands for lines that were left out */
  constructor(sink: ConsoleSink, native: ConsoleNative, clock: Clock, notice: (lines: number) => string = plainNotice) {
    this.#sink = sink
    this.#native = native
    this.#clock = clock
    this.#notice = notice
    this.#reader = new ReaderWatch(
      clock,
      () => this.flush(),
      () => this.#settle(),
    )
    this.#ended = sink.kind === 'none'
    this.#isPipe = sink.kind === 'stream' && fstatSync(sink.fd).isFIFO()
  }

  /** The reader has gone (or there never was a sink): writes do nothing. */
  get ended(): boolean {
    return this.#ended
  }

  get waitingBytes(): number {
    return this.#waiting.length
  }

  /**
   * @param wholeLines ending with a newline; the bytes may be reused after the call
   * @param source whose lines they are
   */
  write(wholeLines: Uint8Array | string, source: object = this): void {
    if (this.#ended) return
    const lines = typeof wholeLines === 'string' ? Buffer.from(wholeLines) : wholeLines
    if (this.#waiting.length > 0 || this.#leftOut > 0) {
      this.#hold(lines, source)
      return
    }
    const done = this.#put(lines)
    if (this.#ended) return
    this.#reader.passed(done)
    if (done === lines.length) return
    this.#hold(lines.subarray(done), source)
    this.#reader.begin()
    this.#wait()
  }

  /**
   * Asks whether the reader keeps up with a source.
   * @param resume called once, when it has caught up or has stopped
   * @returns false: take nothing more for this source until then
   */
  mayContinue(source: object, resume: () => void): boolean {
    if (this.#reader.hasStopped || this.#waiting.length <= HIGH_WATER_BYTES) return true
    if (this.#waiting.bytesOf(source) <= QUIET_BYTES) return true
    this.#heldBack.set(source, resume)
    return false
  }

  /** Resolves when nothing waits any more, or the reader has stopped. */
  emptied(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#emptied.push(resolve)
    if (this.flush() || this.#reader.hasStopped) this.#settle()
    return promise
  }

  /** Tries now what else a poll or an alarm would try. @returns true when nothing waits (any more) */
  flush(): boolean {
    if (!this.#polling && this.#waiting.length > 0) this.#flow()
    return this.#waiting.length === 0
  }

  /** Forgets what waits and closes the descriptor. Done for good when the sink has no reader any more. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#waiting.clear()
    if (this.#poller) this.#poller.destroy()
    else closeSync(this.#sink.fd)
    this.#settle()
    this.#reader.end()
  }

  /** Writes until there is no room. @returns bytes written */
  #put(lines: Uint8Array): number {
    let at = 0
    try {
      while (at < lines.length) {
        const end = this.#unitEnd(lines, at)
        const done = writeToSink(this.#sink, this.#native, lines.subarray(at, end))
        if (done === 0) break
        at += done
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !NO_ROOM.has(code)) this.end()
    }
    return at
  }

  /** As many lines as go into the sink at once, so that no other writer gets in between the bytes of one. */
  #unitEnd(lines: Uint8Array, at: number): number {
    if (this.#sink.kind === 'file') return lines.length
    const isMore = lines.length - at > ATOMIC_BYTES
    const room = isMore && this.#isPipe ? this.#native.pipeRoom(this.#sink.fd) : 0
    return packEnd(lines, at, Math.max(ATOMIC_BYTES, room))
  }

  #hold(lines: Uint8Array, source: object): void {
    let take = lines.length
    if (this.#reader.hasStopped) {
      const room = this.#leftOut > 0 ? 0 : MAX_WAITING_BYTES - this.#waiting.length
      if (take > room) {
        take = room > 0 ? lines.lastIndexOf(NEWLINE, room - 1) + 1 : 0
        this.#leftOut += countLines(lines.subarray(take))
      }
    }
    this.#waiting.push(source, lines.subarray(0, take))
  }

  /** Nothing waits, or the reader has stopped. */
  #settle(): void {
    for (const resolve of this.#emptied.splice(0)) resolve()
    this.#letGoOn(Number.POSITIVE_INFINITY)
  }

  /** Those who were held back go on if no more than this waits of theirs. */
  #letGoOn(bytes: number): void {
    // A copy: one that goes on may be held back again at once.
    for (const [source, resume] of [...this.#heldBack]) {
      if (this.#waiting.bytesOf(source) > bytes) continue
      this.#heldBack.delete(source)
      resume()
    }
  }

  /** There may be room again. */
  #flow(): void {
    if (this.#ended) return
    this.#cancel?.()
    this.#cancel = undefined
    for (;;) {
      const done = this.#put(this.#waiting.bytes)
      if (this.#ended) return
      this.#took(done)
      if (this.#leftOut === 0 || (this.#reader.hasStopped && this.#waiting.length > LOW_WATER_BYTES)) break
      const notice = this.#notice(this.#leftOut)
      this.#leftOut = 0
      this.#waiting.push(this, Buffer.from(notice))
    }
    if (this.#waiting.length > 0) {
      this.#wait()
      this.#letGoOn(this.#waiting.length > LOW_WATER_BYTES ? QUIET_BYTES : Number.POSITIVE_INFINITY)
      return
    }
    this.#reader.end()
    this.#settle()
  }

  #took(bytes: number): void {
    if (bytes > 0) this.#retryMs = FIRST_RETRY_MS
    this.#waiting.drop(bytes)
    this.#reader.took(bytes)
  }

  #wait(): void {
    if (this.#isPipe) {
      this.#poll()
      return
    }
    // Terminals, sockets whose flags are shared and files cannot be polled from here: they are tried now and then.
    this.#cancel = this.#clock.at(this.#clock.nowMs() + this.#retryMs, () => {
      this.#cancel = undefined
      this.#flow()
    })
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  /** One block is handed to the event loop, which writes it when there is room: that is how we hear of it. */
  #poll(): void {
    this.#poller ??= this.#makePoller()
    const waiting = this.#waiting.bytes
    const block = Buffer.from(waiting.subarray(0, packEnd(waiting, 0, ATOMIC_BYTES)))
    this.#polling = true
    this.#poller.write(block, () => {
      this.#polling = false
      if (this.#ended) return
      this.#took(block.length)
      this.#flow()
    })
  }

  #makePoller(): Socket {
    const poller = new Socket({ fd: this.#sink.fd, readable: false, writable: true })
    poller.on('error', () => this.end()) // EPIPE: the reader is gone
    return poller
  }
}
