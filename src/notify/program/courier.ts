/** Sends what is due, one message of a target at a time. */
import type { NotifyTarget } from '../../profile/config/kinds/notify-kinds.ts'
import type { Clock } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'
import type { Letter, Outbox } from '../outbox/outbox.ts'
import { type Attempt, pauseAfter } from '../retry.ts'

export interface CourierFacts {
  readonly outbox: Pick<Outbox, 'take' | 'settle'>
  readonly clock: Clock
  readonly node: string | undefined
  readonly targets: () => readonly NotifyTarget[]
  /** Never rejects. */
  readonly send: (target: NotifyTarget, letter: Letter) => Promise<Attempt>
  readonly log: (level: Level, text: string) => void
  /** The outbox cannot be read or written. */
  readonly failed: (error: unknown) => void
}

export class Courier {
  readonly #facts: CourierFacts
  readonly #rounds = new Map<string, Promise<void>>()
  #ended = false

  constructor(facts: CourierFacts) {
    this.#facts = facts
  }

  /** Sends what is due; a target that is slow keeps no other one waiting. */
  run(): void {
    if (this.#ended) return
    for (const target of this.#facts.targets()) {
      const { name } = target
      if (this.#rounds.has(name)) continue
      const round = this.#round(target).finally(() => this.#rounds.delete(name))
      this.#rounds.set(name, round)
    }
  }

  /** @returns when what was due is sent, or has failed */
  async done(): Promise<void> {
    await Promise.all(this.#rounds.values())
  }

  /** Begins nothing more. @returns when what has begun is over */
  end(): Promise<void> {
    this.#ended = true
    return this.done()
  }

  async #round(target: NotifyTarget): Promise<void> {
    const { outbox, clock, node, send, failed } = this.#facts
    try {
      while (!this.#ended) {
        const letter = outbox.take(target.name, clock.wallMs(), node)
        if (letter === undefined) return
        const attempt = await send(target, letter)
        outbox.settle(target.name, letter.id, attempt, clock.wallMs())
        this.#report(target.name, letter, attempt)
      }
    } catch (error) {
      failed(error)
    }
  }

  #report(target: string, { id, notification, attempts }: Letter, attempt: Attempt): void {
    const { log } = this.#facts
    const what = `${target}: ${notification.event} (${id})`
    if (attempt.is === 'delivered') log('info', `${what} is delivered: ${attempt.text}`)
    else if (attempt.is === 'refused') log('warn', `${what} is given up: ${attempt.text}; hermes notify why ${target}`)
    else {
      const pauseS = Math.round(pauseAfter(attempts + 1, attempt.afterMs) / 1000)
      log('warn', `${what} is not delivered: ${attempt.text}; tries again in ${pauseS} s`)
    }
  }
}
