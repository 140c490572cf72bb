import { closeSync, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Cancel, Clock } from '../../system/clock.ts'
import { type ConsoleSink, writeToSink } from '../../system/native/console-sink.ts'
import type { Native } from '../../system/native/native.ts'
import { countLines, NEWLINE, packEnd } from '../lines.ts'
import { HeldBytes } from './held-bytes.ts'
import { ReaderWatch } from './reader-watch.ts'

/** Bytes that may wait for a reader; beyond it writers are held back, or whole lines are left out. */
const MAX_WAITING_BYTES = 1_000_000
/**
 * Writers are held back, or lines left out, until so little waits: else each line would stop and start them, or need a
 * notice.
 */
const LOW_WATER_BYTES = 500_000
/** How often a full sink that cannot be polled is tried: doubling while nothing moves. */
const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 500

/** No room now: wait. Anything else ends the copy for good: EPIPE (no reader), EIO (the terminal is gone). */
const NO_ROOM = new Set(['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM', 'ENOSPC', 'EDQUOT'])

const plainNotice = (lines: number): string =>
  `hermes: lines left out here: ${lines}; this output was not read in time, the log files have them\n`

/**
 * The container's stdout or stderr. Takes whole lines and never blocks, waits or throws. Lines that the reader does
 * not take wait here. From 1 MB on, a reader that reads holds back writers that ask {@link mayContinue}, so nothing is
 * left out, and the waiting bytes grow by one chunk of each writer at most. When the reader has stopped, whole lines
 * are left out instead and a notice says how many once it reads again.
 */
export class ConsoleWriter {
  readonly #sink: ConsoleSink
  readonly #native: Pick<Native, 'sendNonblocking' | 'hasRoom'>
  readonly #clock: Clock
  readonly #notice: (lines: number) => string
  readonly #held = new HeldBytes(MAX_WAITING_BYTES)
  #leftOut = 0
  #ended: boolean
  #retryMs = FIRST_RETRY_MS
  #cancel: Cancel | undefined
  /** Polls a FIFO for us; undefined: not needed yet, null: this sink cannot be polled. */
  #poller: Socket | null | undefined
  /** Bytes the poller has taken and not yet written. */
  #polled = 0
  readonly #reader: ReaderWatch
  /** The limit is reached and the reader reads. */
  #isHoldingBack = false
  /** Called when it ends. */
  #heldBack: (() => void)[] = []
  /** Called when nothing waits, or the reader has stopped. */
  #emptied: (() => void)[] = []
  /** @param notice the line, newline included, that stands for lines that were left out */
  constructor(
    sink: ConsoleSink,
    native: Pick<Native, 'sendNonblocking' | 'hasRoom'>,
    clock: Clock,
    notice: (lines: number) => string = plainNotice,
  ) {
    this.#sink = sink
    this.#native = native
    this.#clock = clock
    this.#notice = notice
    this.#reader = new ReaderWatch(clock, () => this.#settle())
    this.#ended = sink.kind === 'none'
  }

  /** The reader has gone (or there never was a sink): writes do nothing. */
  get ended(): boolean {
    return this.#ended
  }

  get waitingBytes(): number {
    return this.#held.length + this.#polled
  }

  /** @param wholeLines ending with a newline; the bytes may be reused after the call */
  write(wholeLines: Uint8Array | string): void {
    if (this.#ended) return
    const lines = typeof wholeLines === 'string' ? Buffer.from(wholeLines) : wholeLines
    if (this.waitingBytes > 0 || this.#leftOut > 0) {
      this.#hold(lines)
      return
    }
    const done = this.#put(lines)
    if (done === lines.length || this.#ended) return
    this.#hold(lines.subarray(done))
    this.#wait()
  }

  /**
   * Asks whether the reader keeps up.
   * @param resume called once, when it has caught up or has stopped
   * @returns false: stop reading until then
   */
  mayContinue(resume: () => void): boolean {
    if (!this.#isHoldingBack) return true
    this.#heldBack.push(resume)
    return false
  }

  /** Resolves when nothing waits any more, or the reader has stopped. */
  emptied(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#emptied.push(resolve)
    if (this.flush() || this.#reader.hasStopped) this.#settle()
    else this.#reader.begin()
    return promise
  }

  /** Tries now what else a poll or an alarm would try. @returns true when nothing waits (any more) */
  flush(): boolean {
    if (this.#polled === 0) this.#flow()
    return this.waitingBytes === 0
  }

  /** Forgets what waits and closes the descriptor. Done for good when the sink has no reader any more. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#held.clear()
    this.#polled = 0
    if (this.#poller) this.#poller.destroy()
    else closeSync(this.#sink.fd)
    this.#settle()
  }

  /** Writes until there is no room. @returns bytes written */
  #put(lines: Uint8Array): number {
    let at = 0
    try {
      while (at < lines.length) {
        const end = this.#sink.kind === 'file' ? lines.length : packEnd(lines, at)
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

  #hold(lines: Uint8Array): void {
    let take = lines.length
    if (this.#reader.hasStopped) {
      const room = this.#leftOut > 0 ? 0 : MAX_WAITING_BYTES - this.waitingBytes
      if (take > room) {
        take = room > 0 ? lines.lastIndexOf(NEWLINE, room - 1) + 1 : 0
        this.#leftOut += countLines(lines.subarray(take))
      }
    }
    this.#held.push(lines.subarray(0, take))
    if (this.#reader.hasStopped || this.waitingBytes <= MAX_WAITING_BYTES) return
    this.#isHoldingBack = true
    this.#reader.begin()
  }

  /** Nothing waits, or the reader has stopped. */
  #settle(): void {
    this.#letGoOn()
    for (const resolve of this.#emptied.splice(0)) resolve()
    this.#reader.end()
  }

  /** Those who were held back go on. */
  #letGoOn(): void {
    if (!this.#isHoldingBack) return
    this.#isHoldingBack = false
    if (this.#emptied.length === 0) this.#reader.end()
    for (const resume of this.#heldBack.splice(0)) resume()
  }

  /** There may be room again. */
  #flow(): void {
    if (this.#ended) return
    this.#cancel?.()
    this.#cancel = undefined
    for (;;) {
      const done = this.#put(this.#held.bytes)
      if (this.#ended) return
      this.#took(done)
      this.#held.drop(done)
      if (this.#leftOut === 0 || (this.#reader.hasStopped && this.waitingBytes > LOW_WATER_BYTES)) break
      const notice = this.#notice(this.#leftOut)
      this.#leftOut = 0
      this.#held.push(Buffer.from(notice))
    }
    if (this.#held.length > 0) this.#wait()
    else this.#settle()
    if (this.waitingBytes <= LOW_WATER_BYTES) this.#letGoOn()
  }

  #took(bytes: number): void {
    if (bytes > 0) this.#retryMs = FIRST_RETRY_MS
    this.#reader.took(bytes)
  }

  #wait(): void {
    const poller = this.#pollerOf()
    if (poller) {
      // One block is handed to the event loop, which writes it when there is room: that is how we hear of it.
      const waiting = this.#held.bytes
      const block = Buffer.from(waiting.subarray(0, packEnd(waiting, 0)))
      this.#polled = block.length
      this.#held.drop(block.length)
      poller.write(block, () => {
        this.#took(this.#polled)
        this.#polled = 0
        this.#flow()
      })
      return
    }
    this.#cancel = this.#clock.at(this.#clock.nowMs() + this.#retryMs, () => {
      this.#cancel = undefined
      this.#flow()
    })
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  /** Terminals, sockets whose flags are shared and files cannot be polled from here: they are tried now and then. */
  #pollerOf(): Socket | null {
    if (this.#poller !== undefined) return this.#poller
    this.#poller = this.#sink.kind === 'stream' && fstatSync(this.#sink.fd).isFIFO() ? this.#makePoller() : null
    return this.#poller
  }

  #makePoller(): Socket {
    const poller = new Socket({ fd: this.#sink.fd, readable: false, writable: true })
    poller.on('error', () => this.end()) // EPIPE: the reader is gone
    return poller
  }
}
