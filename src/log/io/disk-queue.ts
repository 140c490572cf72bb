import { close, fdatasync, unlink, unlinkSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'

/** An archive is synced when it is so old. One that a flood has removed by then never costs the disk a write. */
const SYNC_AFTER_MS = 1000
/**
 * Archives that may wait, each with a descriptor. More means a disk slower than its logs; then the kernel decides when.
 */
const MAX_WAITING = 64
/** Removals under way; more than that, and the writer does them itself, or the directory would outgrow its limit. */
const MAX_REMOVALS = 16

interface Archive {
  readonly path: string
  readonly fd: number
  readonly dueAtMs: number
}

type Job = (done: () => void) => void

/**
 * What the disk does for logs outside the main thread: syncs one at a time, because on a network disk one takes seconds
 * and four of them would occupy every thread of the pool, and removals (ext4 takes 2 ms to give up 1 MB). Shared by all
 * slots. Failures are not reported: a sync only narrows what a power cut can take, and a file that could not be removed
 * is tried again at the next rotation.
 */
export class DiskQueue {
  readonly #clock: Clock
  readonly #jobs: Job[] = []
  #busy = false
  #archives: Archive[] = []
  #alarmed = false
  /** Paths that the pool removes, each with the moment it is done. */
  readonly #removing = new Map<string, Promise<void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes over the descriptor of a file that was just rotated: to be synced in a while, then closed. */
  archived(path: string, fd: number): void {
    this.#archives.push({ path, fd, dueAtMs: this.#clock.nowMs() + SYNC_AFTER_MS })
    const tooMany = this.#archives.length > MAX_WAITING ? this.#archives.shift() : undefined
    if (tooMany) close(tooMany.fd)
    this.#alarm()
  }

  /** Syncs and closes an archive. @returns when that is done */
  #sync(fd: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#jobs.push((done) =>
      fdatasync(fd, () =>
        close(fd, () => {
          resolve()
          done()
        }),
      ),
    )
    this.#next()
    return promise
  }

  /** Names in a directory that are still being removed: a file that took one of them would go with it. */
  leaving(dir: string): readonly string[] {
    return this.#leavingPaths(dir).map((path) => basename(path))
  }

  /** Syncs what still waits of a directory at once, and finishes its removals: its log is closed. */
  async settle(dir: string): Promise<void> {
    const mine = this.#archives.filter((archive) => dirname(archive.path) === dir)
    this.#archives = this.#archives.filter((archive) => !mine.includes(archive))
    await Promise.all([
      ...mine.map(({ fd }) => this.#sync(fd)),
      ...this.#leavingPaths(dir).map((path) => this.#removing.get(path)),
    ])
  }

  /** Removes a file; one that is waiting to be synced need not be any more. */
  remove(path: string): void {
    if (this.#removing.has(path)) return
    const waiting = this.#archives.find((archive) => archive.path === path)
    this.#archives = this.#archives.filter((archive) => archive !== waiting)
    // The last descriptor is closed after the name is gone: that is when the file system does its work.
    const finish = (): void => void (waiting && close(waiting.fd))
    if (this.#removing.size < MAX_REMOVALS) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#removing.set(path, promise)
      unlink(path, () => {
        this.#removing.delete(path)
        finish()
        resolve()
      })
      return
    }
    try {
      unlinkSync(path)
    } catch {
      // As in the pool: gone already, or a directory that bears an archive's name. The next rotation tries again.
    }
    finish()
  }

  #leavingPaths(dir: string): readonly string[] {
    return [...this.#removing.keys()].filter((path) => dirname(path) === dir)
  }

  #alarm(): void {
    const [first] = this.#archives
    if (this.#alarmed || !first) return
    this.#alarmed = true
    this.#clock.at(first.dueAtMs, () => {
      this.#alarmed = false
      const nowMs = this.#clock.nowMs()
      const due = this.#archives.filter(({ dueAtMs }) => dueAtMs <= nowMs)
      this.#archives = this.#archives.filter(({ dueAtMs }) => dueAtMs > nowMs)
      for (const { fd } of due) void this.#sync(fd)
      this.#alarm()
    })
  }

  #next(): void {
    if (this.#busy) return
    const job = this.#jobs.shift()
    if (!job) return
    this.#busy = true
    job(() => {
      this.#busy = false
      this.#next()
    })
  }
}
