/** Sends what the logs have to one target, a batch at a time, so that lines keep their order. */
import type { Attempt } from '../../notify/retry.ts'
import type { ForwardTarget } from '../../profile/config/kinds/forward-kinds.ts'
import { type Clock, pause } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'
import { type Batch, linesIn } from '../batch.ts'
import { pauseAfterAttempt } from '../retry.ts'
import type { ForwardStore } from '../store/store.ts'
import { type Gathered, Gatherer } from './gatherer.ts'

/** A batch waits no longer for more lines. */
const GATHER_MS = 1000

export interface CourierFacts {
  readonly home: string
  readonly node: string
  readonly clock: Clock
  readonly store: Pick<ForwardStore, 'positions' | 'settle' | 'trouble'>
  /** The target as config.yaml has it now; undefined: it is gone. */
  readonly target: () => ForwardTarget | undefined
  /** Never rejects. */
  readonly send: (target: ForwardTarget, batch: Batch) => Promise<Attempt>
  readonly log: (level: Level, text: string) => void
}

/**
 * Runs until `signal`, or until the target is gone.
 * @throws HermesError: the positions cannot be read or written
 */
export async function runCourier(name: string, facts: CourierFacts, signal: AbortSignal): Promise<void> {
  const { home, clock, store, target, log } = facts
  let now = target()
  if (now === undefined) return
  const known = store.positions(name)
  const gatherer = new Gatherer(home, now, known)
  if (known === undefined) store.settle(name, gatherer.positions, NOTHING, clock.wallMs())
  const trouble = new Trouble(name, facts)
  while (now !== undefined && !signal.aborted) {
    const gathered = gatherer.gather(now, clock.wallMs())
    const batch = { node: facts.node, slots: gathered.slots }
    const count = linesIn(batch)
    const isRefused = count === 0 ? false : await deliver(batch, facts, trouble, gatherer, signal)
    if (isRefused === undefined) return
    const lostBytes = gathered.gaps.reduce((sum, { bytes }) => sum + bytes, 0)
    if (gathered.positions.size > 0) {
      const counts = { sent: isRefused ? 0 : count, refused: isRefused ? count : 0 }
      store.settle(name, gathered.positions, { ...counts, gaps: gathered.gaps.length, lostBytes }, clock.wallMs())
    }
    gatherer.settled(gathered)
    reportGaps(name, gathered, log)
    if (!gathered.isFull) await pause(clock, GATHER_MS, signal)
    now = target()
  }
}

const NOTHING = { sent: 0, refused: 0, gaps: 0, lostBytes: 0 }

/** @returns whether the target has refused the lines for good; undefined: they are not sent, because this ends */
async function deliver(
  batch: Batch,
  { clock, target, send }: CourierFacts,
  trouble: Trouble,
  gatherer: Gatherer,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  for (let attempts = 1; ; attempts++) {
    const now = target()
    if (now === undefined || signal.aborted) return undefined
    const attempt = await send(now, batch)
    if (attempt.is === 'delivered') trouble.over()
    if (attempt.is === 'refused') trouble.refused(attempt.text, linesIn(batch))
    if (attempt.is !== 'failed') return attempt.is === 'refused'
    if (signal.aborted) return undefined
    trouble.failed(attempt.text)
    gatherer.observe()
    await pause(clock, pauseAfterAttempt(attempts, attempt.afterMs), signal)
  }
}

/** Of what goes wrong again and again, one line is enough. */
class Trouble {
  readonly #name: string
  readonly #facts: Pick<CourierFacts, 'store' | 'clock' | 'log'>
  #failure: string | undefined
  #refusal: string | undefined

  constructor(name: string, facts: Pick<CourierFacts, 'store' | 'clock' | 'log'>) {
    this.#name = name
    this.#facts = facts
    facts.store.trouble(name, undefined, facts.clock.wallMs())
  }

  failed(text: string): void {
    if (text === this.#failure) return
    this.#failure = text
    this.#facts.store.trouble(this.#name, text, this.#facts.clock.wallMs())
    this.#facts.log('warn', `${this.#name}: ${text}; the lines wait in their log files`)
  }

  refused(text: string, lines: number): void {
    this.over()
    if (text === this.#refusal) return
    this.#refusal = text
    const count = 'hermes forward list counts what else is refused'
    this.#facts.log('warn', `${this.#name}: the target ${text} to ${lines} line(s), which are not sent; ${count}`)
  }

  over(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#facts.store.trouble(this.#name, undefined, this.#facts.clock.wallMs())
    this.#facts.log('info', `${this.#name}: lines are sent again`)
  }
}

function reportGaps(name: string, { gaps }: Gathered, log: CourierFacts['log']): void {
  for (const { slot, bytes } of gaps)
    log(
      'error',
      `${name}: lines of ${slot} were rotated away before they were sent: ${bytes > 0 ? `${bytes} bytes or more` : 'how many is not known'}`,
    )
}
