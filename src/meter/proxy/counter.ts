import { randomUUID } from 'node:crypto'
import type { Budget } from '../../profile/config/kinds/kinds.ts'
import type { MeterHolder } from '../../profile/environment/metered.ts'
import type { Clock } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'
import {
  crossed,
  dayOf,
  NOTHING_SPENT,
  periodEndMs,
  periodStart,
  type Reached,
  reachedLimit,
  reachedTaskLimit,
  type Spent,
} from '../budget.ts'
import { estimate, sumOf } from '../estimate.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { costNanos, type Prices } from '../prices.ts'
import type { MeteredQuestion } from '../question.ts'
import { budgetSpent, type Refusal, taskBudgetSpent } from '../refusals.ts'
import type { Counted } from '../usage.ts'
import { Reservations } from './reservations.ts'

export interface CounterOptions {
  readonly ledger: Ledger
  readonly clock: Pick<Clock, 'wallMs'>
  readonly log: (level: Level, text: string) => void
  /** For the advice about a model without a price. */
  readonly pricesFile: string
}

/** A request that is on its way. Its methods never throw: what cannot be written is logged. */
export interface Ticket {
  note(counted: Counted): void
  /** Counts it; later calls change nothing. @param isQuestion it should have used something */
  finish(isQuestion: boolean): void
  drop(): void
}

/** Most models and profiles that something is remembered about. */
const MOST_REMEMBERED = 1000

/** Admits requests and counts them. */
export class Counter {
  readonly #options: CounterOptions
  readonly #warned = new Set<string>()
  readonly #reservations = new Reservations()
  /** Tokens of the largest answer of each profile. */
  readonly #largestOutput = new Map<string, number>()

  constructor(options: CounterOptions) {
    this.#options = options
  }

  /**
   * Admits a request, which may go out now. Near a limit, requests that could pass it together go one after the other:
   * this waits until those before it are counted.
   * @param question undefined: it asks for nothing that costs
   * @param gone the client no longer waits
   * @returns why it must not go out; undefined: the client has gone
   * @throws HermesError when the ledger cannot be read or written
   */
  async admit(
    holder: MeterHolder,
    budget: Budget | null,
    question: MeteredQuestion | undefined,
    prices: Prices,
    gone: AbortSignal,
  ): Promise<Ticket | Refusal | undefined> {
    const { profile } = holder
    while (!gone.aborted) {
      const mayUse = question && estimate(question, this.#largestOutput.get(profile) ?? 0, prices)
      const refusal = this.refusal(holder, budget)
      if (refusal !== undefined) return refusal
      // In one turn: no other request comes in between.
      if (budget === null || mayUse === undefined || this.#hasRoom(holder, budget, mayUse))
        return this.begin(holder, budget, question?.model ?? '', prices, mayUse)
      this.#warnOnce(
        `near ${profile}`,
        `requests of ${profile} wait for each other, because together they could pass its budget`,
      )
      await this.#reservations.change(profile, gone)
    }
    return undefined
  }

  /** Whether the request and those on their way stay below each limit. Alone it always goes. */
  #hasRoom(holder: MeterHolder, budget: Budget, mayUse: Spent): boolean {
    const { ledger, clock } = this.#options
    const { profile, task, board = '' } = holder
    const others = this.#reservations.of(profile)
    if (others.length === 0) return true
    const spent = ledger.spent(profile, periodStart(budget, dayOf(clock.wallMs())))
    const all = others.map((one) => one.estimate)
    if (reachedLimit(budget, sumOf([spent, mayUse, ...all])) !== undefined) return false
    const sameTask = others.filter((one) => one.holder.task === task && (one.holder.board ?? '') === board)
    if (task === undefined || budget.taskUsd === null || sameTask.length === 0) return true
    const ofTask = sumOf([ledger.taskSpent(profile, board, task), mayUse, ...sameTask.map((one) => one.estimate)])
    return reachedTaskLimit(budget, ofTask) === undefined
  }

  /** @returns why the request must not go out. @throws HermesError when the ledger cannot be read */
  refusal({ profile, task, board = '' }: MeterHolder, budget: Budget | null): Refusal | undefined {
    if (budget === null) return undefined
    const { ledger, clock } = this.#options
    const wallMs = clock.wallMs()
    const reached = reachedLimit(budget, ledger.spent(profile, periodStart(budget, dayOf(wallMs))))
    if (reached !== undefined) return budgetSpent(profile, budget, reached, wallMs)
    if (task === undefined || budget.taskUsd === null) return undefined
    const ofTask = reachedTaskLimit(budget, ledger.taskSpent(profile, board, task))
    return ofTask === undefined ? undefined : taskBudgetSpent(profile, task, ofTask)
  }

  /**
   * Writes the request down; it may go out now.
   * @param mayUse reserved until it is counted
   * @throws HermesError when that is not possible
   */
  begin(holder: MeterHolder, budget: Budget | null, model: string, prices: Prices, mayUse?: Spent): Ticket {
    const { ledger, clock } = this.#options
    const { profile, task = '', board = '' } = holder
    const day = dayOf(clock.wallMs())
    const id = randomUUID()
    let counted = false
    ledger.begin({ id, day, profile, board, task, model })
    const giveBack = mayUse && this.#reservations.add({ holder, estimate: mayUse })
    const attempt = (act: () => void): void => {
      try {
        act()
      } catch (error) {
        this.#options.log('error', `a request of ${profile} is not counted: ${(error as Error).message}`)
      }
    }
    let over = false
    const end = (act: () => void): void => {
      if (over) return
      over = true
      attempt(act)
      giveBack?.()
    }
    return {
      note: (answer) =>
        attempt(() => {
          if (over) return
          const nanos = costNanos(answer, model, prices)
          if (nanos === undefined) this.#warnUnpriced(answer.model ?? model)
          ledger.note(id, answer.usage, nanos)
          counted = true
          this.#remember(profile, answer.usage.outputTokens)
        }),
      finish: (isQuestion) =>
        end(() => {
          if (counted) this.#reporting(holder, budget, () => ledger.finish(id))
          else if (isQuestion) this.#uncounted(id, profile)
          else ledger.drop(id)
        }),
      drop: () => end(() => ledger.drop(id)),
    }
  }

  #remember(profile: string, outputTokens: number): void {
    const known = this.#largestOutput.get(profile)
    if (outputTokens <= (known ?? 0) || (known === undefined && this.#largestOutput.size >= MOST_REMEMBERED)) return
    this.#largestOutput.set(profile, outputTokens)
  }

  /** Logs what the change has reached. */
  #reporting(holder: MeterHolder, budget: Budget | null, change: () => void): void {
    if (budget === null) {
      change()
      return
    }
    const { ledger, clock, log } = this.#options
    const { profile, task, board = '' } = holder
    const wallMs = clock.wallMs()
    const since = periodStart(budget, dayOf(wallMs))
    const measure = () => ({
      period: ledger.spent(profile, since),
      task: task === undefined || budget.taskUsd === null ? NOTHING_SPENT : ledger.taskSpent(profile, board, task),
    })
    const before = measure()
    change()
    const after = measure()
    const ofPeriod = crossed(
      (spent, share) => reachedLimit(budget, spent, share),
      budget.warnAt,
      before.period,
      after.period,
    )
    if (ofPeriod?.kind === 'limit') {
      const until = new Date(periodEndMs(budget, wallMs)).toISOString()
      log(
        'error',
        `the budget of ${profile} is spent: ${ofPeriod.reached.amount} this ${budget.per}; no further request goes out before ${until}`,
      )
    } else if (ofPeriod !== undefined)
      log('warn', `${profile} has spent ${amountOf(ofPeriod.reached)} this ${budget.per}`)
    if (task === undefined) return
    const ofTask = crossed(
      (spent, share) => reachedTaskLimit(budget, spent, share),
      budget.warnAt,
      before.task,
      after.task,
    )
    if (ofTask === undefined) return
    if (ofTask.kind === 'limit')
      log('error', `task ${task} of ${profile} has spent ${ofTask.reached.amount}; no further request of it goes out`)
    else log('warn', `task ${task} of ${profile} has spent ${amountOf(ofTask.reached)}`)
  }

  #uncounted(id: string, profile: string): void {
    this.#options.ledger.finish(id)
    this.#warnOnce(`uncounted ${profile}`, `an answer to ${profile} did not say what it has used; it is not counted`)
  }

  #warnUnpriced(model: string): void {
    const name = JSON.stringify(model.slice(0, 80))
    this.#warnOnce(
      `price ${model}`,
      `model ${name} has no price: its tokens count, its cost does not; add it to ${this.#options.pricesFile}`,
    )
  }

  #warnOnce(about: string, text: string): void {
    if (this.#warned.has(about) || this.#warned.size >= MOST_REMEMBERED) return
    this.#warned.add(about)
    this.#options.log('warn', text)
  }
}

const amountOf = ({ amount }: Reached): string => amount
