/**
 * A small world around one slot, for histories: an init that keeps its promises (one child per slot, events kept until
 * they are acknowledged, requests of a dead supervisor destroyed), a supervisor that writes before it acts and may die
 * between any two steps, and a clock that moves on request.
 */
import type { Ending } from '../../src/slot/ending.ts'
import {
  type Child,
  childOf,
  dueAt,
  type Effect,
  isOccupied,
  newSlot,
  type Slot,
  type SlotEvent,
  type SlotPolicy,
  type Wanted,
} from '../../src/slot/slot.ts'
import { step } from '../../src/slot/step.ts'

export type Act =
  | { readonly do: 'want'; readonly wanted: Wanted }
  | { readonly do: 'restart' }
  | { readonly do: 'condemn' }
  | { readonly do: 'outdate' }
  | { readonly do: 'configure'; readonly policy: SlotPolicy }
  /** init takes the oldest request. */
  | { readonly do: 'init' }
  /** The supervisor takes the oldest message. */
  | { readonly do: 'hear' }
  | { readonly do: 'end'; readonly ending: Ending }
  | { readonly do: 'announce' }
  | { readonly do: 'pass'; readonly ms: number }
  /** The supervisor dies; what it had asked for up to `taken` requests has reached init. */
  | { readonly do: 'crash'; readonly taken: number }
  | { readonly do: 'halt' }

type Request = Extract<Effect, { type: 'spawn' | 'signal' }> | { readonly type: 'ack'; readonly seq: number }
type Report =
  | { readonly type: 'spawned'; readonly request: number; readonly child: Child }
  | { readonly type: 'event'; readonly seq: number; readonly event: SlotEvent }

/** Sees every step. */
export type Watch = (before: Slot, event: SlotEvent, after: Slot, effects: readonly Effect[]) => void

interface Process extends Child {
  readyAtMs?: number
  readonly program: 'run' | 'finish'
}

export class World {
  slot: Slot
  nowMs = 1_000
  living: Process | null = null
  /** Every process that ever ran, by program. */
  readonly born: ('run' | 'finish')[] = []
  readonly broken: string[] = []
  readonly ended: Extract<Effect, { type: 'ended' }>[] = []
  #toInit: Request[] = []
  #toSupervisor: Report[] = []
  #kept: Extract<Report, { type: 'event' }>[] = []
  #written: Slot
  #ids = 0
  #seq = 0
  #random = 0
  readonly #watch: Watch

  constructor(policy: SlotPolicy, watch: Watch = () => {}) {
    this.slot = newSlot(policy, this.nowMs)
    this.#written = this.slot
    this.#watch = watch
  }

  act(act: Act): void {
    switch (act.do) {
      case 'want':
        this.happen({ type: 'want', wanted: act.wanted })
        break
      case 'condemn':
        this.happen({ type: 'condemned', child: childOf(this.slot)?.id ?? 0, why: 'does not answer' })
        break
      case 'outdate':
        this.happen({ type: 'outdated', child: childOf(this.slot)?.id ?? this.slot.lastChild, why: 'is old' })
        break
      case 'restart':
        this.happen({ type: 'restart' })
        break
      case 'configure':
        this.happen({ type: 'configured', policy: act.policy })
        break
      case 'init':
        this.#initTakesOne()
        break
      case 'hear':
        this.#hearOne()
        break
      case 'end':
        this.end(act.ending)
        break
      case 'announce':
        this.#announce()
        break
      case 'pass':
        this.nowMs += act.ms
        this.happen({ type: 'due' })
        break
      case 'crash':
        this.#crash(act.taken)
        break
      case 'halt':
        this.happen({ type: 'halt' })
        break
    }
  }

  happen(event: SlotEvent): void {
    const before = this.slot
    const [after, ...effects] = step(before, event, this.nowMs)
    this.slot = after
    // Written to its file: a crash from here on finds it. Events that init will replay anyway are not written.
    if (event.type !== 'spawned' || after.state !== 'starting') this.#written = after
    for (const effect of effects) {
      if (effect.type === 'ended') this.ended.push(effect)
      else this.#toInit.push(effect)
    }
    this.#watch(before, event, after, effects)
    const spawns = this.#toInit.filter(({ type }) => type === 'spawn').length
    if (spawns > 1) this.broken.push(`${spawns} spawns are on their way at once`)
  }

  end(ending: Ending): void {
    const child = this.living
    if (child === null) return
    this.living = null
    const { id, pid } = child
    this.#keep({
      type: 'exited',
      child: id,
      pid,
      ending,
      atMs: this.nowMs,
      wallMs: this.nowMs,
      random: this.#nextRandom(),
    })
  }

  /** Everything that is under way arrives; processes obey; alarms ring. Ends when nothing is left to happen. */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      while (this.#toInit.length > 0 || this.#toSupervisor.length > 0) {
        this.#initTakesOne()
        this.#hearOne()
      }
      if (
        this.slot.state === 'starting' &&
        this.slot.policy.readiness === 'announced' &&
        this.living?.readyAtMs === undefined
      ) {
        this.#announce()
        continue
      }
      const at = dueAt(this.slot)
      // A slot in backoff is at rest: it would start and may die again, indefinitely.
      if (at === null || this.slot.state === 'backoff') return
      this.nowMs = Math.max(this.nowMs, at)
      this.happen({ type: 'due' })
    }
    this.broken.push('it does not come to rest')
  }

  #initTakesOne(): void {
    const request = this.#toInit.shift()
    if (request === undefined) return
    switch (request.type) {
      case 'ack':
        this.#kept = this.#kept.filter(({ seq }) => seq > request.seq)
        return
      case 'signal':
        if (this.living?.id !== request.child) return
        // Every other process ignores what it can ignore.
        if (request.signal === 'KILL' || request.child % 2 === 1) this.end({ signal: request.signal })
        return
      case 'spawn': {
        if (this.living !== null) {
          this.broken.push(`a second process was asked for while ${this.living.id} lives`)
          return
        }
        const id = ++this.#ids
        const child = { id, pid: 100 + id, startTime: id, spawnedAtMs: this.nowMs }
        this.living = { ...child, program: request.program }
        this.born.push(request.program)
        this.#toSupervisor.push({ type: 'spawned', request: request.request, child })
      }
    }
  }

  #hearOne(): void {
    const report = this.#toSupervisor.shift()
    if (report === undefined) return
    if (report.type === 'spawned') {
      this.happen({ type: 'spawned', request: report.request, child: report.child })
      return
    }
    this.happen(report.event)
    this.#toInit.push({ type: 'ack', seq: report.seq })
  }

  #announce(): void {
    const child = this.living
    if (child === null || child.readyAtMs !== undefined || child.program === 'finish') return
    child.readyAtMs = this.nowMs
    this.#keep({ type: 'ready', child: child.id, atMs: this.nowMs })
  }

  #crash(taken: number): void {
    for (let i = 0; i < taken; i++) this.#initTakesOne()
    this.#toInit = []
    this.#toSupervisor = []
    this.slot = JSON.parse(JSON.stringify(this.#written)) as Slot
    this.#written = this.slot
    // welcome: the living children, then the events that were never acknowledged, then the conclusion.
    const request = this.slot.request
    const unaccounted = isOccupied(this.slot) && this.living === null
    const replay = this.#kept
    if (this.living !== null) {
      const { program: _, readyAtMs, ...child } = this.living
      this.happen({ type: 'adopted', child, ...(readyAtMs !== undefined && { readyAtMs }) })
    }
    for (const report of replay) {
      this.happen(report.event)
      this.#toInit.push({ type: 'ack', seq: report.seq })
    }
    if (unaccounted) this.happen({ type: 'gone', request, random: this.#nextRandom() })
  }

  #keep(event: SlotEvent): void {
    const report = { type: 'event', seq: ++this.#seq, event } as const
    this.#kept.push(report)
    this.#toSupervisor.push(report)
  }

  #nextRandom(): number {
    this.#random = (this.#random + 0.37) % 1
    return this.#random
  }

  /** The process the slot believes in. */
  get believed(): Child | null {
    return childOf(this.slot)
  }
}
