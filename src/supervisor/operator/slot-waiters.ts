import type { Slot } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import { seconds, withSubject } from './transition-text.ts'

export type Goal = 'up' | 'down'

interface Waiter {
  readonly goal: Goal
  readonly resolve: () => void
  readonly reject: (error: HermesError) => void
  readonly cancel: Cancel
}

/** Clients that wait for a slot to come up or go down. */
export class SlotWaiters {
  readonly #clock: Clock
  readonly #waiters = new Map<string, Set<Waiter>>()

  readonly #waitsFor: (key: string) => string | undefined

  /** @param waitsFor reason why a slot does not act yet: other slots have to start or stop first */
  constructor(clock: Clock, waitsFor: (key: string) => string | undefined = () => undefined) {
    this.#clock = clock
    this.#waitsFor = waitsFor
  }

  /**
   * Resolves when the slot has reached its goal.
   * @param slot reads its current state
   * @throws HermesError PARKED, FAILED (it ended for good, or another command interfered), TIMED_OUT
   */
  waitFor(key: string, goal: Goal, timeoutMs: number, slot: () => Slot | undefined): Promise<void> {
    const now = slot()
    if (now === undefined) return Promise.reject(removed(key))
    const verdict = this.#judge(key, goal, now)
    if (verdict === 'yes') return Promise.resolve()
    if (verdict !== 'wait') return Promise.reject(verdict)
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(key) ?? new Set()
      this.#waiters.set(key, waiters)
      const cancel = this.#clock.at(this.#clock.nowMs() + timeoutMs, () => {
        this.#done(key, waiter)
        reject(tooLate(key, goal, timeoutMs, slot(), this.#waitsFor(key)))
      })
      const waiter: Waiter = { goal, resolve, reject, cancel }
      waiters.add(waiter)
    })
  }

  /** A slot has changed. */
  changed(key: string, slot: Slot): void {
    for (const waiter of this.#waiters.get(key) ?? []) {
      const verdict = this.#judge(key, waiter.goal, slot)
      if (verdict === 'wait') continue
      this.#done(key, waiter)
      if (verdict === 'yes') waiter.resolve()
      else waiter.reject(verdict)
    }
  }

  /** The slot is gone for good. */
  removed(key: string): void {
    for (const waiter of this.#waiters.get(key) ?? []) {
      this.#done(key, waiter)
      if (waiter.goal === 'down') waiter.resolve()
      else waiter.reject(removed(key))
    }
  }

  #judge(key: string, goal: Goal, slot: Slot): ReturnType<typeof judge> {
    return this.#waitsFor(key) === undefined ? judge(key, goal, slot) : 'wait'
  }

  #done(key: string, waiter: Waiter): void {
    waiter.cancel()
    const waiters = this.#waiters.get(key)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiters.delete(key)
  }
}

/** This many deaths of one kind in a row are enough to report. */
const ALIKE = 3

function isOneKind({ deathsInRow, deaths }: Slot): boolean {
  const last = deaths.slice(-ALIKE).map(({ ending }) => JSON.stringify(ending))
  return deathsInRow >= ALIKE && last.length === ALIKE && new Set(last).size === 1
}

function judge(key: string, goal: Goal, slot: Slot): 'yes' | 'wait' | HermesError {
  const { logs, start, stop } = slotCommands(key)
  if (goal === 'down') {
    if (slot.state === 'down' || slot.state === 'parked') return 'yes'
    if (slot.wanted !== 'down') return new HermesError('FAILED', `${key} was started again while it was being stopped`)
    return 'wait'
  }
  if (slot.state === 'up' || slot.state === 'done') return 'yes'
  if (slot.state === 'parked')
    return new HermesError('PARKED', `${key} is parked: ${slot.reason}`, {
      next: `fix the cause (log: ${logs}), then: ${start}`,
    })
  if (slot.state === 'down')
    return new HermesError(
      'FAILED',
      `${key} is down again${slot.reason === undefined ? ': it was stopped during the wait' : `: ${slot.reason}`}`,
    )
  if (slot.wanted === 'down') return new HermesError('FAILED', `${key} was stopped while it was being started`)
  if (slot.state !== 'backoff') return 'wait'
  // A single failure may be a passing shortage of processes; if it repeats, the operator has to fix the cause.
  if (slot.unstarted && slot.deathsInRow >= 2)
    return new HermesError('FAILED', withSubject(key, slot.reason), {
      next: `hermes keeps trying; fix the cause, then retry at once: ${start}`,
    })
  if (!isOneKind(slot)) return 'wait'
  return new HermesError(
    'FAILED',
    withSubject(key, slot.notRun ? slot.reason : `${slot.reason}, ${ALIKE} times in a row`),
    {
      next: slot.notRun
        ? `Hermes keeps trying; stop it with ${stop}, or correct gateway.command`
        : `Hermes keeps trying; fix the cause (log: ${logs}), or stop it with ${stop}`,
    },
  )
}

function tooLate(
  key: string,
  goal: Goal,
  timeoutMs: number,
  slot: Slot | undefined,
  waitsFor: string | undefined,
): HermesError {
  const waited = seconds(timeoutMs)
  if (waitsFor !== undefined)
    return new HermesError('TIMED_OUT', `${key} is not ${goal} after ${waited}: it ${waitsFor}`, {
      next: '"hermes service list" shows their states',
    })
  if (goal === 'down')
    return new HermesError('TIMED_OUT', `${key} is not down after ${waited}: its process has not ended yet`)
  const { logs, stop } = slotCommands(key)
  const why = slot?.state === 'backoff' ? `; ${withSubject('its last process', slot.reason)}` : ''
  return new HermesError('TIMED_OUT', `${key} is not ready after ${waited}${why}`, {
    next: `Hermes keeps trying; see its log (${logs}), or stop it with ${stop}`,
  })
}

const removed = (key: string): HermesError =>
  new HermesError('NO_SUCH_SLOT', `${key} was removed: its profile is gone`, {
    next: '"hermes status" shows the slots',
  })
