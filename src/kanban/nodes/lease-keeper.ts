import { type Clock, pause } from '../../system/clock.ts'
import { errorLine, HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { isAway } from '../port/boards.ts'
import type { LeaseAnswer, Leases, NodeCard } from '../port/nodes.ts'
import { type LeaseTimes, leaseProblem } from './timing.ts'

/** After a failure; at most: the next renewal is due sooner if the lease is short. */
const AGAIN_MS = 1000

/** The deadline of a node's workers, for the supervisor. */
export interface WorkersDeadline {
  readonly epoch: number
  /** CLOCK_BOOTTIME, ms. */
  readonly atMs: number
}

export interface LeaseKeeperOptions {
  readonly leases: Leases
  readonly clock: Clock
  /** CLOCK_BOOTTIME, ms: it goes on while the machine sleeps. */
  readonly bootMs: () => number
  readonly times: () => LeaseTimes
  /** Facts about this node at this moment, without the length of the lease. */
  readonly card: () => Promise<Omit<NodeCard, 'leaseMs'>>
  readonly profiles: () => readonly string[]
  /** Has the workers ended at this time, unless a later one is handed over. */
  readonly handOver: (deadline: WorkersDeadline) => Promise<void>
  readonly log: (level: Level, text: string) => void
  /** The node has taken a lease that it did not have, or has runs of other nodes to take. */
  readonly wake: () => void
}

/**
 * Keeps the lease of this node, in a loop of its own that waits for no tick. Only an answer counts, from before the
 * question was sent.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly #ended = new AbortController()
  #held: WorkersDeadline | undefined
  /** Node and epoch of the last lease, to end it. */
  #last: { readonly id: string; readonly epoch: number } | undefined
  #lapsed = ''
  #logged = ''

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** Workers may be started: they end before the lease does. */
  get holds(): boolean {
    return this.#held !== undefined && this.#options.bootMs() < this.#held.atMs
  }

  /** Until {@link end}. */
  async run(): Promise<void> {
    const { clock } = this.#options
    while (!this.#ended.signal.aborted) {
      const delayMs = await this.#renew()
      await pause(clock, delayMs, this.#ended.signal)
    }
  }

  end(): void {
    this.#ended.abort()
  }

  /** Gives the lease back, once no worker of this node runs. Waits for no database that is away. */
  async release(): Promise<void> {
    const last = this.#last
    if (last === undefined || !this.holds) return
    this.#held = undefined
    await this.#options.leases.release(last.id, last.epoch).catch((error) => {
      if (!(error instanceof HermesError)) throw error
      // It lapses by itself.
    })
  }

  /** @returns time until the next renewal, ms */
  async #renew(): Promise<number> {
    const { leases, bootMs, times, card, profiles, handOver, wake } = this.#options
    const of = times()
    const problem = leaseProblem(of)
    if (problem !== undefined) {
      this.#report('error', `nothing is dispatched: ${problem}`)
      return of.renewMs
    }
    try {
      const now = await card()
      const sentAtMs = bootMs()
      const answer = await leases.take({ ...now, leaseMs: of.leaseMs }, this.#held?.epoch)
      if (answer.state === 'refused') {
        this.#held = undefined
        this.#report('error', refusal(now, answer))
        return of.renewMs
      }
      const deadline = { epoch: answer.epoch, atMs: sentAtMs + of.endWorkersAfterMs }
      await handOver(deadline)
      const isNew = this.#held?.epoch !== answer.epoch
      this.#held = deadline
      this.#last = { id: now.id, epoch: answer.epoch }
      if (isNew) this.#report('info', `node ${now.name} has its lease (epoch ${answer.epoch})`)
      await leases.register(now.id, profiles())
      const lapsed = answer.lapsed.join(' ')
      const hasRuns = lapsed !== '' && lapsed !== this.#lapsed
      this.#lapsed = lapsed
      if (isNew || hasRuns) wake()
      return of.renewMs
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      if (!isAway(error)) this.#report('error', `the lease of this node: ${errorLine(error)}`)
      else if (this.#held !== undefined && !this.holds)
        this.#report('warn', 'the lease of this node runs out: its workers are ended, and gateways go on')
      return Math.min(AGAIN_MS, of.renewMs)
    }
  }

  /** A condition that holds until something changes is logged once. */
  #report(level: Level, text: string): void {
    if (text === this.#logged) return
    this.#logged = text
    this.#options.log(level, `kanban dispatcher: ${text}`)
  }
}

const refusal = ({ name }: { readonly name: string }, { same }: Extract<LeaseAnswer, { state: 'refused' }>): string =>
  same === 'id'
    ? `nothing is dispatched: another node lives that has the id of this one (${name}), so one of the two volumes is a ` +
      'copy of the other; end one, or remove node.id from the copy'
    : `nothing is dispatched: another node lives that is named "${name}" too; set HERMES_NODE to another name`
