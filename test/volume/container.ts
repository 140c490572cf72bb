/**
 * A small container on a shared volume, for histories: an init with its lock and its gate, a supervisor with its
 * counter and its life, and one slot that runs or does not. The decisions are the real ones; what they ask for is done
 * to {@link Disk}. Messages and answers wait until a history lets them arrive, and the supervisor may die between any
 * two of them, or in the middle of a step.
 */
import type { LeaseState } from '../../src/protocol/init.ts'
import {
  type Counting,
  type LeaseFile,
  lookAgainAfterMs,
  startCounting,
  stepCounting,
} from '../../src/volume/counter.ts'
import { type Gate, type GateEvent, hasBegun, newGate, stepGate } from '../../src/volume/gate.ts'
import { isOurs, type LifeEffect, type LifeEvent, newLife, stepLife, type VolumeLife } from '../../src/volume/life.ts'
import { type Lock, type LockEvent, newLock, stepLock, type TryResult } from '../../src/volume/lock.ts'

/** run.lease. A lock is on an inode, whichever name that has by now. */
export interface Disk {
  nowMs: number
  readonly hasLocks: boolean
  /** The thing under the file's name; `obstacle`: something that is not a lease. */
  inode: number | 'gone' | 'obstacle'
  inodes: number
  text: LeaseFile
  readonly lockedBy: Map<number, string>
  readonly broken: string[]
  /** Another program has deleted or replaced the file. */
  tampered: boolean
}

type ToSupervisor =
  | {
      readonly type: 'welcome'
      readonly begun: boolean
      readonly lease: LeaseState | 'unknown'
      readonly kept?: 'yes' | 'lost'
    }
  | { readonly type: 'lease'; readonly state: LeaseState }
  | { readonly type: 'begin' | 'stop' }
type ToInit =
  | { readonly type: 'hello' | 'drained' }
  | { readonly type: 'keep'; readonly booted: 'yes' | 'lost' }
  | { readonly type: 'lease'; readonly state: 'taken' | 'lost' }

interface Supervisor {
  life: VolumeLife
  counting: Counting | undefined
  lookAtMs: number
  listens: boolean
  readonly inbox: ToSupervisor[]
  readonly outbox: ToInit[]
  readonly answers: LifeEvent[]
  /** Effects it still performs before it dies. */
  doom: number
}

export class Container {
  readonly name: string
  slotUp = false
  ended = false
  stopping = false
  /** `drained` messages that init has acted upon. */
  drained = 0
  bootLogs = 0
  kept: 'yes' | 'lost' | undefined
  gate: Gate = newGate
  supervisor = newSupervisor()
  readonly #disk: Disk
  readonly #startedAtMs: number
  #lock: Lock = newLock
  #lookAtMs = Number.POSITIVE_INFINITY
  #held: number | undefined
  /** This init made the file at its last try. */
  #made = false
  #former: number | undefined
  /** Answers that init waits for: a look at the file, a try to lock it, a look at the volume. */
  readonly #answers: (() => void)[] = []
  /** Changes of the lease so far, and the last one after which the volume was looked at. */
  #leases = 0
  #lookedFor = -1
  /** Whether this supervisor's counter has taken the lease. */
  #counted = false

  constructor(name: string, disk: Disk) {
    this.name = name
    this.#disk = disk
    this.#startedAtMs = disk.nowMs
    this.#answers.push(() => {
      const result = this.#try(true)
      this.#lockTakes({ type: 'tried', result })
      this.#gateTakes({ type: 'lease', state: result, opened: disk.inode !== 'obstacle', made: this.#made })
    })
  }

  get life(): VolumeLife {
    return this.supervisor.life
  }

  get runs(): boolean {
    return !this.ended && (this.slotUp || this.life.at === 'running')
  }

  /** init reads one message. */
  initTakesOne(): void {
    const message = this.supervisor.outbox.shift()
    if (message !== undefined && !this.ended) this.#initTakes(message)
  }

  /** The supervisor reads one message. */
  hearOne(): void {
    const { supervisor } = this
    const message = supervisor.inbox.shift()
    if (message === undefined || this.ended) return
    // One that dies in the middle of a message takes the rest of it along: the next one gets a welcome of its own.
    const take = (event: LifeEvent): void => {
      if (this.supervisor === supervisor) this.lifeTakes(event)
    }
    switch (message.type) {
      case 'welcome':
        if (message.kept !== undefined) take({ type: 'restored', booted: message.kept })
        if (message.lease !== 'unknown') take({ type: 'lease', state: message.lease })
        if (message.begun) take({ type: 'begin' })
        return
      case 'stop':
        this.lifeTakes({ type: 'stop' })
        this.#emptiedIfSo()
        return
      default:
        this.lifeTakes(message)
    }
  }

  /** One thing that was waited for arrives, out of its order or in it. */
  answerOne(which: number): void {
    if (this.ended) return
    const all = [...this.#answers.keys(), ...this.supervisor.answers.keys()]
    const at = which % Math.max(1, all.length)
    if (at < this.#answers.length) this.#answers.splice(at, 1)[0]?.()
    else {
      const [event] = this.supervisor.answers.splice(at - this.#answers.length, 1)
      if (event !== undefined) this.lifeTakes(event)
    }
  }

  hooksDone(): void {
    // The boot waits for its first look at the volume before it runs them.
    const hasLooked = this.gate.at !== 'looking' && this.#lock.at !== 'trying'
    if (!this.ended && (hasLooked || this.#disk.nowMs > this.#startedAtMs)) this.#gateTakes({ type: 'hooks-done' })
  }

  /**
   * The supervisor dies; init acts on the next `taken` of its messages, and only writes down what it says in later
   * ones.
   */
  crash(taken: number): void {
    if (this.ended) return
    for (let n = 0; n < taken; n++) this.initTakesOne()
    if (this.ended) return
    for (const message of this.supervisor.outbox) if (message.type === 'keep') this.kept = message.booted
    this.supervisor = newSupervisor()
    this.#counted = false
    this.#gateTakes({ type: 'supervisor-ended' })
  }

  stop(): void {
    if (this.ended || this.stopping) return
    this.stopping = true
    this.#gateTakes({ type: 'stop' })
    if (this.supervisor.listens) this.supervisor.inbox.push({ type: 'stop' })
  }

  /** The slot's process has ended, as init had asked it to. */
  slotEnds(): void {
    if (!this.stopping || this.ended) return
    this.slotUp = false
    this.#emptiedIfSo()
  }

  /** As after a kill -9 of the container: its processes are gone, and with them the lock. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.slotUp = false
    for (const inode of [this.#held, this.#former]) if (inode !== undefined) this.#disk.lockedBy.delete(inode)
  }

  get nextAlarmMs(): number {
    return this.ended ? Number.POSITIVE_INFINITY : Math.min(this.#lookAtMs, this.supervisor.lookAtMs)
  }

  ring(): void {
    if (this.ended) return
    if (this.#lookAtMs <= this.#disk.nowMs) {
      this.#lookAtMs = Number.POSITIVE_INFINITY
      this.#answers.push(() => this.#lockTakes({ type: 'seen', result: this.#look() }))
    }
    if (this.supervisor.lookAtMs <= this.#disk.nowMs) this.#count()
  }

  lifeTakes(event: LifeEvent): void {
    const { supervisor } = this
    const [next, ...effects] = stepLife(supervisor.life, event)
    supervisor.life = next
    for (const effect of effects) {
      if (supervisor.doom-- === 0) {
        this.crash(0)
        return
      }
      this.#perform(effect)
    }
  }

  // ---- init ----

  #initTakes(message: ToInit): void {
    const { supervisor } = this
    switch (message.type) {
      case 'hello':
        supervisor.listens = true
        supervisor.inbox.push({
          type: 'welcome',
          begun: hasBegun(this.gate),
          lease: this.gate.lease,
          ...(this.kept && { kept: this.kept }),
        })
        if (this.stopping) supervisor.inbox.push({ type: 'stop' })
        return
      case 'keep':
        this.kept = message.booted
        return
      case 'lease':
        this.#counted = message.state === 'taken'
        this.#gateTakes({ type: 'counted', state: message.state })
        return
      case 'drained':
        this.drained += 1
        if (!this.stopping) this.#disk.broken.push(`${this.name} is drained and was not stopped`)
        this.end()
    }
  }

  #gateTakes(event: GateEvent): void {
    const [next, ...effects] = stepGate(this.gate, event)
    this.gate = next
    for (const effect of effects) {
      if (effect.type === 'look') {
        const { look } = effect
        const leases = this.#leases
        this.#answers.push(() => {
          this.#lookedFor = leases
          this.#gateTakes({ type: 'looked', look })
        })
      }
      if (effect.type === 'end') this.#disk.broken.push(`${this.name} ends: ${effect.why}`)
      if (effect.type === 'send') {
        if (this.stopping) this.#disk.broken.push(`${this.name} sends ${effect.message.type} while it stops`)
        if (effect.message.type === 'begin') this.#mayBegin()
        if (this.supervisor.listens) this.supervisor.inbox.push(effect.message)
      }
    }
  }

  #lockTakes(event: LockEvent): void {
    const [next, ...effects] = stepLock(this.#lock, event)
    this.#lock = next
    for (const effect of effects) {
      switch (effect.type) {
        case 'look-later':
          this.#lookAtMs = this.#disk.nowMs + (this.#lock.at === 'held' ? 2_000 : 1_000)
          break
        case 'try':
          this.#former = this.#held
          this.#held = undefined
          this.#answers.push(() => this.#lockTakes({ type: 'tried', result: this.#try(effect.make) }))
          break
        case 'replaced':
          if (this.#former !== undefined) this.#disk.lockedBy.delete(this.#former)
          if (effect.again) this.#gateTakes({ type: 'renewed' })
          break
        case 'report':
          this.#leases += 1
          this.#gateTakes({ type: 'lease', state: effect.state, opened: true, made: this.#made })
      }
    }
  }

  #try(make: boolean): TryResult {
    const disk = this.#disk
    if (disk.inode === 'obstacle' || (disk.inode === 'gone' && !make)) return 'busy'
    this.#made = disk.inode === 'gone'
    const inode = disk.inode === 'gone' ? ++disk.inodes : disk.inode
    if (disk.inode === 'gone') disk.text = 'free'
    disk.inode = inode
    if (!disk.hasLocks) return 'unsupported'
    if (disk.lockedBy.has(inode)) return 'busy'
    disk.lockedBy.set(inode, this.name)
    this.#held = inode
    return 'held'
  }

  #look(): 'gone' | 'ours' | 'another' {
    const { inode } = this.#disk
    if (inode === 'gone') return 'gone'
    return inode === this.#held ? 'ours' : 'another'
  }

  // ---- the supervisor ----

  #perform(effect: LifeEffect): void {
    const { supervisor } = this
    switch (effect.type) {
      case 'open':
      case 'resume':
        this.#mayStart(effect.type)
        if (effect.type === 'resume' || effect.first) this.slotUp = !this.stopping
        if (effect.type === 'open' && effect.first) {
          if (this.kept !== undefined) this.#disk.broken.push(`${this.name} boots a second time`)
          this.bootLogs += 1
        }
        return
      case 'stop-slots':
        this.slotUp = false
        return
      case 'sign':
        if (this.#disk.inode !== 'obstacle') this.#disk.text = this.#text(0)
        return
      case 'release':
        supervisor.counting = undefined
        supervisor.lookAtMs = Number.POSITIVE_INFINITY
        if (this.#isNamed()) this.#disk.text = 'free'
        return
      case 'count':
        supervisor.counting = startCounting(this.#disk.nowMs, this.#disk.nowMs)
        supervisor.lookAtMs = this.#disk.nowMs
        return
      case 'report':
        supervisor.outbox.push({ type: 'lease', state: effect.state })
        return
      case 'keep':
        supervisor.outbox.push(effect)
        return
      case 'drained':
        if (this.slotUp) this.#disk.broken.push(`${this.name} is drained and a slot runs`)
        supervisor.outbox.push({ type: 'drained' })
        return
      case 'fill':
        supervisor.answers.push({ type: 'filled' })
        return
      case 'close':
        supervisor.answers.push({ type: 'closed' })
    }
  }

  /** The lease is ours, by the lock or by this supervisor's counter, and the volume was looked at since. */
  #mayBegin(): void {
    const { hasLocks, broken } = this.#disk
    if (hasLocks && this.#lookedFor !== this.#leases)
      broken.push(`${this.name} begins on what it saw under another lease`)
    if (!hasLocks && !this.#counted) broken.push(`${this.name} begins, and no supervisor has counted`)
  }

  #mayStart(what: string): void {
    const { life } = this.supervisor
    const { inode, lockedBy, hasLocks, tampered, broken } = this.#disk
    if (!isOurs(life)) broken.push(`${this.name} does ${what} without the lease`)
    if (tampered) return
    const isHolder = hasLocks ? lockedBy.get(Number(inode)) === this.name : this.#isNamed()
    if (!isHolder) broken.push(`${this.name} does ${what} on the volume of another`)
  }

  #count(): void {
    const { supervisor } = this
    const { nowMs, inode, text } = this.#disk
    if (supervisor.counting === undefined) return
    const found = inode === 'obstacle' ? 'unreadable' : inode === 'gone' ? 'free' : text
    const time = { runningMs: nowMs, realMs: nowMs }
    let { next, write, report: tell } = stepCounting(supervisor.counting, found, this.name, time)
    if (write !== undefined && inode === 'obstacle')
      ({ next, report: tell } = stepCounting(supervisor.counting, 'unreadable', this.name, time))
    else if (write !== undefined) {
      if (inode === 'gone') this.#disk.inode = ++this.#disk.inodes
      this.#disk.text = this.#text(write)
    }
    supervisor.counting = next
    supervisor.lookAtMs = nowMs + lookAgainAfterMs[next.state]
    if (tell !== undefined) this.lifeTakes({ type: 'counted', state: tell })
  }

  #isNamed(): boolean {
    const { text } = this.#disk
    return typeof text === 'object' && text.instance === this.name
  }

  #text(counter: number): LeaseFile {
    return { instance: this.name, host: 'h', counter }
  }

  #emptiedIfSo(): void {
    if (this.life.at === 'stopping' && !this.slotUp) this.lifeTakes({ type: 'emptied' })
  }
}

const newSupervisor = (): Supervisor => ({
  life: newLife,
  counting: undefined,
  lookAtMs: Number.POSITIVE_INFINITY,
  listens: false,
  inbox: [],
  outbox: [{ type: 'hello' }],
  answers: [],
  doom: Number.POSITIVE_INFINITY,
})
