import type { LeaseState, ToSupervisor } from '../../protocol/init.ts'
import type { Level } from '../../system/level.ts'
import {
  type Gate,
  type GateEffect,
  type GateEvent,
  hasBegun,
  type Look,
  newGate,
  stepGate,
} from '../../volume/gate.ts'
import type { VolumeLock } from '../lease/volume-lock.ts'

export interface VolumeGateOptions {
  readonly home: string
  readonly lock: Pick<VolumeLock, 'take' | 'opened' | 'made' | 'obstacle'>
  /** This life takes no lease: its main program is the dashboard. */
  readonly withoutLease: boolean
  /** Repairs the volume and tries it, or tries it only. @returns why it cannot be used */
  readonly look: (what: Look) => Promise<string | undefined>
  readonly send: (message: ToSupervisor) => void
  /** Ends the container. */
  readonly unusable: (why: string) => void
  readonly log: (level: Level, text: string) => void
}

type Perform = {
  readonly [K in GateEffect['type']]: (effect: Extract<GateEffect, { readonly type: K }>) => void | Promise<void>
}

/**
 * Decides when the supervisor may begin: performs the effects of init's half of the volume's life
 * (docs/volume-life.md).
 */
export class VolumeGate {
  readonly #options: VolumeGateOptions
  #gate: Gate = newGate

  constructor(options: VolumeGateOptions) {
    this.#options = options
  }

  get lease(): LeaseState | 'unknown' {
    return this.#gate.lease
  }

  /** A later supervisor can begin at once. If it has to count first, or to wait, `begin` is sent when it may. */
  get begun(): boolean {
    return hasBegun(this.#gate)
  }

  /** The boot's first look at the volume. Resolves when init has looked at all of it that it needs to. */
  async open(): Promise<void> {
    const { withoutLease, lock } = this.#options
    if (withoutLease) return this.leaseIs('none')
    const state = await lock.take({
      changed: (changed) => void this.leaseIs(changed),
      renewed: () => void this.#take({ type: 'renewed' }),
    })
    return this.leaseIs(state)
  }

  hooksDone(): void {
    void this.#take({ type: 'hooks-done' })
  }

  /** Passes on the state of the lock, at boot or later. */
  leaseIs(state: LeaseState): Promise<void> {
    const { opened, made } = this.#options.lock
    return this.#take({ type: 'lease', state, opened, made })
  }

  /** Passes on the state of a supervisor's counter. It is ignored where locks work. */
  leaseCounted(state: 'taken' | 'lost' | 'unwritable'): Promise<void> {
    return this.#take({ type: 'counted', state })
  }

  supervisorEnded(): void {
    void this.#take({ type: 'supervisor-ended' })
  }

  /** The container stops: nothing is sent any more. */
  stop(): void {
    void this.#take({ type: 'stop' })
  }

  /** Resolves when what follows is done. */
  async #take(event: GateEvent): Promise<void> {
    const [next, ...effects] = stepGate(this.#gate, event)
    this.#gate = next
    // All at once, in order: a look takes as long as the volume does.
    await Promise.all(effects.map((effect) => this.#perform[effect.type](effect as never)))
  }

  readonly #perform: Perform = {
    look: async ({ look, what }) => {
      const problem = await this.#options.look(what)
      await this.#take({ type: 'looked', look, ...(problem !== undefined && { problem }) })
    },
    send: ({ message }) => this.#options.send(message),
    end: ({ why }) => this.#options.unusable(why),
    'warn-busy': () => {
      const { home, lock, log } = this.#options
      const why =
        lock.obstacle === undefined
          ? `another container is using ${home}: the gateways wait here until it stops`
          : `cannot tell which container uses ${home}: ${lock.obstacle}. Remove it; until then the gateways wait here`
      log('warn', why)
    },
  }
}
