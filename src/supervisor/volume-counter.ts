import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, writeSync } from 'node:fs'
import type { Cancel, Clock } from '../system/clock.ts'
import { readSmallFile } from '../system/files/small-file.ts'
import {
  type Counting,
  formatLease,
  type LeaseFile,
  lookAgainAfterMs,
  parseLease,
  startCounting,
  stepCounting,
} from '../volume/counter.ts'

export interface VolumeCounterOptions {
  /** `$HERMES_HOME/run.lease`. init makes it and holds the lock on it; its text is ours. */
  readonly file: string
  /** Random, one per container life. */
  readonly instance: string
  readonly hostname: string
  readonly clock: Clock
  /** Counts frozen time too: others have continued during it. */
  readonly realClock: Clock
  readonly warn: (text: string) => void
  /** Counter mode only: ours, or another container's. Either may follow the other. */
  readonly changed: (state: 'taken' | 'lost') => void
  /** Counter mode only: the lease is free, but our claim cannot be written. Called once until it can. */
  readonly unwritable: () => void
}

const MAX_LEASE_BYTES = 4096

/** The text of run.lease: the holder of the volume, and the counter if locks do not work. */
export class VolumeCounter {
  readonly #options: VolumeCounterOptions
  #counting: Counting | undefined
  #cancel: Cancel | undefined
  #warned = false

  constructor(options: VolumeCounterOptions) {
    this.#options = options
  }

  /** The lock is ours (init sent `held`): writes our name. `quietly`: it will be written again, so ignore a failure. */
  held({ quietly = false } = {}): void {
    this.#stop()
    const warned = this.#warned
    if (quietly) this.#warned = true
    this.#write(0)
    if (quietly) this.#warned = warned
  }

  /**
   * init sent `unsupported`: takes the lease by the counter. `changed` is called later, never from within this call.
   */
  count(): void {
    if (this.#counting !== undefined) return
    const { clock, realClock } = this.#options
    this.#counting = startCounting(clock.nowMs(), realClock.nowMs())
    this.#wakeAfter(0)
  }

  /** The holder of the volume, for people; undefined: the file does not name one. */
  holder(): string | undefined {
    const found = this.#read()
    return typeof found === 'object' ? `instance ${found.instance} on host ${found.host}` : undefined
  }

  /** The host name of the container that holds the volume; undefined: the file does not say. */
  holderHost(): string | undefined {
    const found = this.#read()
    return typeof found === 'object' ? found.host : undefined
  }

  /** An object in the file's place that is not a lease, for people: until it is removed, the holder is unknown. */
  obstacle(): string | undefined {
    const { file } = this.#options
    const { problem } = readSmallFile(file, MAX_LEASE_BYTES)
    if (problem !== undefined) return `${file} ${problem}`
    const names = lstatSync(file, { throwIfNoEntry: false })?.nlink ?? 1
    return names > 1 ? `${file} has several names` : undefined
  }

  /**
   * An orderly end: the next container need not wait until our counter has stood still. The file itself says whether it
   * is ours: what an earlier supervisor has written is, a claim is, and what another container has written is not.
   */
  release(): void {
    this.#stop()
    const found = this.#read()
    if (typeof found === 'object' && found.instance === this.#options.instance) this.#put('')
  }

  /** Stops counting without a message: this supervisor ends, its container lives on. */
  close(): void {
    this.#stop()
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#counting = undefined
  }

  #wakeAfter(ms: number): void {
    const { realClock } = this.#options
    this.#cancel = realClock.at(realClock.nowMs() + ms, () => this.#look())
  }

  #look(): void {
    if (this.#counting === undefined) return
    const { instance, clock, realClock, changed, unwritable } = this.#options
    const isNews = this.#counting.state === 'watching' && !this.#warned
    const time = { runningMs: clock.nowMs(), realMs: realClock.nowMs() }
    let { next, write, report } = stepCounting(this.#counting, this.#read(), instance, time)
    // A counter that could not be written has not moved: then the holder stands where it would if it could not have
    // read it.
    if (write !== undefined && !this.#write(write)) {
      ;({ next, report } = stepCounting(this.#counting, 'unreadable', instance, time))
      if (isNews) unwritable()
    }
    this.#counting = next
    this.#wakeAfter(lookAgainAfterMs[next.state])
    if (report !== undefined) changed(report)
  }

  #read(): LeaseFile {
    const { text, problem } = readSmallFile(this.#options.file, MAX_LEASE_BYTES)
    if (problem !== undefined) return 'unreadable'
    if (text === undefined) return 'free'
    return parseLease(text) ?? 'free'
  }

  #write(counter: number): boolean {
    return this.#put(formatLease({ instance: this.#options.instance, host: this.#options.hostname, counter }))
  }

  /**
   * In place, never through a link. The file is init's to make: the lock is on the one that is there. Only where there
   * is no lock, and init perhaps no right to make it, do we. @returns whether it worked
   */
  #put(text: string): boolean {
    const { file, warn } = this.#options
    try {
      const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
      const make = this.#counting === undefined ? 0 : O_CREAT
      const fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | make, 0o644)
      try {
        const stat = fstatSync(fd)
        if (!stat.isFile() || stat.nlink !== 1) throw new Error('it is not a regular file with one link')
        writeSync(fd, text, 0)
        ftruncateSync(fd, Buffer.byteLength(text))
      } finally {
        closeSync(fd)
      }
      this.#warned = false
      return true
    } catch (error) {
      if (!this.#warned)
        warn(`${file} cannot be written (${(error as Error).message}); other containers cannot see who uses the volume`)
      this.#warned = true
      return false
    }
  }
}
