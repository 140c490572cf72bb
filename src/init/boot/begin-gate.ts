import type { LeaseState, ToSupervisor } from '../../protocol/init.ts'
import type { Level } from '../processes/own-console.ts'
import type { Lease } from './lease.ts'

export interface BeginGateOptions {
  readonly home: string
  readonly lease: Pick<Lease, 'take' | 'opened' | 'obstacle'>
  /** This life takes no lease: its main program is the dashboard. */
  readonly withoutLease: boolean
  /** Repairs the volume and tries it. @returns why it cannot be used */
  readonly prepare: () => Promise<string | undefined>
  /** Tries it only. @returns why it cannot be used */
  readonly tryIt: () => Promise<string | undefined>
  readonly send: (message: ToSupervisor) => void
  readonly unusable: (why: string) => void
  readonly say: (level: Level, text: string) => void
}

/**
 * When the supervisor may begin: once the volume is ours, repaired and writable, and the boot hooks are done. The volume can be lost
 * and found again later.
 */
export class BeginGate {
  readonly #o: BeginGateOptions
  #lease: LeaseState = 'busy'
  /** Words about the lease so far: while one is dealt with, the next may come. */
  #words = 0
  /** Where locks do not work: the supervisor's counter has the volume. */
  #counted = false
  #volumeReady = false
  #hooksDone = false
  #begun = false

  constructor(options: BeginGateOptions) {
    this.#o = options
  }

  get lease(): LeaseState {
    return this.#lease
  }

  /** For a supervisor that comes later: it can begin at once. Where it has to count first, or to wait, it is told when. */
  get begun(): boolean {
    return this.#begun && (this.#lease === 'held' || this.#lease === 'none')
  }

  /** The boot's first look at the volume. */
  async open(): Promise<void> {
    const { withoutLease, lease } = this.#o
    return this.leaseIs(withoutLease ? 'none' : await lease.take())
  }

  hooksDone(): void {
    this.#hooksDone = true
    this.#beginIfReady()
  }

  /** What the lock came to, at boot or later. */
  async leaseIs(state: LeaseState): Promise<void> {
    const { home, lease, prepare, tryIt, send, say } = this.#o
    // The supervisor has stopped its gateways when the volume was lost, and waits for a word.
    const again = this.#begun && this.#lease === 'busy'
    this.#lease = state
    const word = ++this.#words
    if (state === 'busy') {
      const { obstacle } = lease
      const why =
        obstacle === undefined
          ? `another container is using ${home}: the gateways wait here until it stops`
          : `cannot tell which container uses ${home}: ${obstacle}. Remove it; until then the gateways wait here`
      say('warn', why)
    }
    const isOurs = state === 'held' || state === 'none'
    // Where locks do not work the supervisor's counter decides, if anything can be written at all.
    if (isOurs || (state === 'unsupported' && !lease.opened)) {
      const problem = await (isOurs ? prepare() : tryIt())
      // The volume was lost meanwhile: what was found in it is somebody else's, and so is what follows.
      if (word !== this.#words) return
      const isUsable = this.#isUsable(problem)
      if (isOurs) this.#volumeReady = isUsable
    }
    send({ type: 'lease', state })
    this.#beginIfReady()
    if (again && state === 'held' && this.#volumeReady) send({ type: 'begin' })
  }

  /** What a supervisor's counter came to, where locks do not work; its word counts nowhere else. */
  async leaseCounted(state: 'taken' | 'lost'): Promise<void> {
    if (this.#lease !== 'unsupported') return
    this.#counted = state === 'taken'
    if (!this.#counted) return
    const again = this.#begun
    if (!this.#volumeReady) {
      const problem = await this.#o.prepare()
      if (!this.#counted) return // lost meanwhile
      this.#volumeReady = this.#isUsable(problem)
    }
    this.#beginIfReady()
    if (again) this.#o.send({ type: 'begin' })
  }

  #isUsable(problem: string | undefined): boolean {
    if (problem !== undefined) this.#o.unusable(problem)
    return problem === undefined
  }

  #beginIfReady(): void {
    // It may have been lost since it was prepared, while the hooks ran.
    const isOurs = this.#lease === 'held' || this.#lease === 'none' || (this.#lease === 'unsupported' && this.#counted)
    if (this.#begun || !isOurs || !this.#volumeReady || !this.#hooksDone) return
    this.#begun = true
    this.#o.send({ type: 'begin' })
  }
}
