import { closeSync, fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { ConsoleSink } from '../../protocol/init.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Native } from '../../system/native.ts'
import { ATOMIC_BYTES, countLines, packEnd } from '../lines.ts'

/** What may wait for a reader; beyond it whole lines are left out. */
const MAX_WAITING_BYTES = 1_000_000
/** Lines are left out until so little waits, else every single line would need its own notice. */
const LOW_WATER_BYTES = 500_000
/** How often a full sink that cannot be polled is tried: doubling while nothing moves. */
const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 500
const NEWLINE = 10

/** No room now: wait. Anything else ends the copy for good: EPIPE (no reader), EIO (the terminal is gone). */
const NO_ROOM = new Set(['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM', 'ENOSPC', 'EDQUOT'])

const plainNotice = (lines: number): string =>
  `hermes: lines left out here: ${lines}; nobody read this output in time, the log files have them\n`

/**
 * The container's stdout or stderr. Takes whole lines and never blocks, waits or throws: what the reader does not take waits
 * here, up to 1 MB, then whole lines are left out and a notice says how many once it reads again.
 */
export class ConsoleWriter {
  readonly #sink: ConsoleSink
  readonly #native: Pick<Native, 'sendNonblocking' | 'hasRoom'>
  readonly #clock: Clock
  readonly #notice: (lines: number) => string
  /** Waiting bytes are #held[#start, #end); twice the limit long, so that they are moved to its front once per MB at most. */
  #held: Buffer | undefined
  #start = 0
  #end = 0
  #leftOut = 0
  #ended: boolean
  #retryMs = FIRST_RETRY_MS
  #cancel: Cancel | undefined
  /** Polls a FIFO for us; undefined: not needed yet, null: this sink cannot be polled. */
  #poller: Socket | null | undefined
  /** Bytes the poller has taken and not yet written. */
  #polled = 0

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
    this.#ended = sink.kind === 'none'
  }

  /** Nobody will ever read it again (or there never was a sink): writes do nothing. */
  get ended(): boolean {
    return this.#ended
  }

  get waitingBytes(): number {
    return this.#end - this.#start + this.#polled
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
    this.#held = undefined
    this.#start = this.#end = this.#polled = 0
    if (this.#poller) this.#poller.destroy()
    else closeSync(this.#sink.fd)
  }

  /** Writes until there is no room. @returns bytes written */
  #put(lines: Uint8Array): number {
    let at = 0
    try {
      while (at < lines.length) {
        const end = this.#sink.kind === 'file' ? lines.length : packEnd(lines, at)
        const done = this.#putOnce(lines.subarray(at, end))
        if (done === 0) break
        at += done
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !NO_ROOM.has(code)) this.end()
    }
    return at
  }

  #putOnce(bytes: Uint8Array): number {
    const { fd, kind } = this.#sink
    if (kind === 'socket') return this.#native.sendNonblocking(fd, bytes)
    if (kind !== 'shared') return writeSync(fd, bytes)
    return this.#native.hasRoom(fd) ? writeSync(fd, bytes.subarray(0, ATOMIC_BYTES)) : 0
  }

  #hold(lines: Uint8Array): void {
    const room = this.#leftOut > 0 ? 0 : MAX_WAITING_BYTES - this.waitingBytes
    let take = lines.length
    if (take > room) {
      take = room > 0 ? lines.lastIndexOf(NEWLINE, room - 1) + 1 : 0
      this.#leftOut += countLines(lines.subarray(take))
    }
    this.#keep(lines.subarray(0, take))
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#held ??= Buffer.allocUnsafeSlow(2 * MAX_WAITING_BYTES)
    if (this.#end + bytes.length > this.#held.length) {
      this.#held.copyWithin(0, this.#start, this.#end)
      this.#end -= this.#start
      this.#start = 0
    }
    this.#held.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** There may be room again. */
  #flow(): void {
    if (this.#ended || this.#held === undefined) return
    this.#cancel?.()
    this.#cancel = undefined
    for (;;) {
      const done = this.#put(this.#held.subarray(this.#start, this.#end))
      if (this.#ended) return
      this.#start += done
      if (done > 0) this.#retryMs = FIRST_RETRY_MS
      if (this.#leftOut === 0 || this.waitingBytes > LOW_WATER_BYTES) break
      const notice = this.#notice(this.#leftOut)
      this.#leftOut = 0
      this.#keep(Buffer.from(notice))
    }
    if (this.#start < this.#end) this.#wait()
    else this.#start = this.#end = 0
  }

  #wait(): void {
    const poller = this.#pollerOf()
    if (poller && this.#held) {
      // One block is handed to the event loop, which writes it when there is room: that is how we hear of it.
      const end = this.#start + packEnd(this.#held.subarray(this.#start, this.#end), 0)
      const block = Buffer.from(this.#held.subarray(this.#start, end))
      this.#polled = block.length
      this.#start = end
      poller.write(block, () => {
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
