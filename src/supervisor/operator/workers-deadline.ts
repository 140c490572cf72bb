import type { Operations } from '../../protocol/control.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { isRecord } from '../../system/text/record.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'

/** CLOCK_BOOTTIME goes on while the machine sleeps, and no alarm is set by it. */
const LOOK_MS = 1000
const NAME = '.node-lease'

export interface WorkersDeadlineOptions {
  readonly table: Pick<SlotTable, 'entries' | 'dispatch'>
  /** CLOCK_MONOTONIC itself: other nodes count on while this container is paused. */
  readonly clock: Clock
  /** CLOCK_BOOTTIME, ms. */
  readonly bootMs: () => number
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly warn: (text: string) => void
}

type NodeLease = Operations['node-lease']['request']

/**
 * Ends the workers of this node before its lease does, if the dispatcher no longer hands a later deadline over: other
 * nodes then take their tasks. It is here because a dispatcher can hang or be stopped just while the database is away.
 * Nothing of it exists without a database.
 */
export class WorkersDeadline {
  readonly #options: WorkersDeadlineOptions
  #lease: NodeLease | undefined
  #isOver = false
  #cancel: Cancel | undefined

  constructor(options: WorkersDeadlineOptions) {
    this.#options = options
  }

  /** The lease was renewed. A deadline that has passed while everything stood still still counts. */
  set({ epoch, workersUntilMs }: NodeLease): void {
    this.#look()
    this.#lease = { epoch, workersUntilMs }
    this.#options.stateStore.keep(NAME, JSON.stringify(this.#lease))
    this.#isOver = false
    this.#look()
  }

  /** @param text data from an earlier supervisor of this life @throws Error if it is not a lease */
  restore(text: string): void {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value)) throw new Error('it is not the lease of a node')
    const { epoch, workersUntilMs } = value
    if (typeof epoch !== 'number' || typeof workersUntilMs !== 'number')
      throw new Error('it is not the lease of a node')
    this.#lease = { epoch, workersUntilMs }
  }

  /** Looks from now on: every slot of an earlier supervisor is restored. */
  watch(): void {
    this.#look()
  }

  /**
   * Refuses a job that was claimed under a lease that is no longer the current one, or that nothing would end in time.
   * @param epoch of the lease; undefined: its board needs none
   * @throws HermesError REFUSED
   */
  check(epoch: number | undefined): void {
    if (epoch === undefined) return
    this.#look()
    if (this.#lease?.epoch === epoch && !this.#isOver) return
    throw new HermesError('REFUSED', 'the lease of this node, under which the task was claimed, is over', {
      detail: 'LEASE_OVER',
      next: 'hermes logs dispatcher',
    })
  }

  close(): void {
    this.#cancel?.()
  }

  #look(): void {
    const { clock, bootMs } = this.#options
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#lease === undefined || this.#isOver) return
    const leftMs = this.#lease.workersUntilMs - bootMs()
    if (leftMs <= 0) this.#end()
    else this.#cancel = clock.at(clock.nowMs() + Math.min(LOOK_MS, leftMs), () => this.#look(), { coarse: true })
  }

  #end(): void {
    const { table, warn } = this.#options
    this.#isOver = true
    const workers = table.entries().filter(({ job, slot }) => job !== undefined && slot.state !== 'down')
    if (workers.length === 0) return
    const count = workers.length === 1 ? 'a worker is' : `${workers.length} workers are`
    warn(`the lease of this node was not renewed in time; ${count} ended before other nodes take over, gateways go on`)
    for (const { key } of workers) table.dispatch(key, { type: 'want', wanted: 'down' })
  }
}
