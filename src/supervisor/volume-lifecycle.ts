import type { Journal } from '../log/io/journal.ts'
import type { StatusResult } from '../protocol/control.ts'
import type { LeaseState, ToInit } from '../protocol/init.ts'
import type { SupervisorStart } from '../protocol/start-up.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../protocol/volume-user.ts'
import type { MachineClock } from '../system/clock.ts'
import { homePaths } from '../system/paths.ts'
import { isOurs, type LifeEffect, type LifeEvent, newLife, stepLife, type VolumeLife } from '../volume/life.ts'
import type { ControlChannels } from './control-channels.ts'
import type { StatusFiles } from './operator/status-files.ts'
import type { SlotLogs } from './slots/logs.ts'
import type { StateStore } from './slots/state-store.ts'
import { VolumeCounter } from './volume-counter.ts'
import type { VolumeFiles } from './volume-files.ts'
import type { VolumeSlots } from './volume-slots.ts'

export interface VolumeLifecycleOptions {
  readonly start: Pick<SupervisorStart, 'home' | 'instance' | 'hostname' | 'foreground'>
  readonly clock: Pick<MachineClock, 'nowMs' | 'wallMs' | 'at' | 'real'>
  readonly journal: Journal
  /** To init, and what it keeps for the next supervisor. */
  readonly send: (message: ToInit) => void
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly slots: VolumeSlots
  readonly volume: VolumeFiles
  readonly ending: Ending
  /** Asked when it is needed: it answers for this life. */
  readonly controlChannels: () => Pick<ControlChannels, 'close' | 'leave'>
  /** The first boot is over. */
  readonly logNextSteps: () => void
}

/** Parts that the end of the supervisor needs. */
export interface Ending {
  readonly statusFiles: Pick<StatusFiles, 'flush'>
  readonly logs: Pick<SlotLogs, 'closeAll'>
  /** Without init: stops the processes of the slots. */
  readonly stopOrphans: () => Promise<void>
  readonly exit: (code: number) => void
}

type Perform = { readonly [K in LifeEffect['type']]: (effect: Extract<LifeEffect, { readonly type: K }>) => void }

const PHASE: { readonly [S in VolumeLife['at']]: StatusResult['phase'] } = {
  booting: 'booting',
  filling: 'booting',
  waiting: 'waiting',
  running: 'running',
  stopping: 'stopping',
  closing: 'stopping',
  drained: 'stopping',
  orphaned: 'stopping',
}

/**
 * Where in its life the container is: performs what the supervisor's half of the volume's life decides
 * (docs/volume-life.md).
 */
export class VolumeLifecycle {
  readonly #options: VolumeLifecycleOptions
  readonly #counter: VolumeCounter
  readonly #answered = Promise.withResolvers<void>()
  #life: VolumeLife = newLife

  constructor(options: VolumeLifecycleOptions) {
    this.#options = options
    const { start, clock, journal } = options
    this.#counter = new VolumeCounter({
      file: homePaths(start.home).lease,
      instance: start.instance,
      hostname: start.hostname,
      clock,
      realClock: clock.real,
      warn: journal.warn,
      changed: (state) => this.#take({ type: 'counted', state }),
      // Not a matter of this half's state: init repairs the volume, and the counter looks again.
      unwritable: () => options.send({ type: 'lease', state: 'unwritable' }),
    })
    void this.#answered.promise.then(() => options.send({ type: 'booted' }))
  }

  get phase(): StatusResult['phase'] {
    return PHASE[this.#life.at]
  }

  /** Resolves when the boot has led to something else: running, waiting for the volume, stopping. */
  whenBooted(): Promise<void> {
    return this.#answered.promise
  }

  /** The holder of the volume, for people. */
  holder(): string | undefined {
    return this.#counter.holder()
  }

  holderHost(): string | undefined {
    return this.#counter.holderHost()
  }

  /** Why it is unknown which container has the volume, while the gateways wait for that. */
  obstacle(): string | undefined {
    return this.phase === 'waiting' ? this.#counter.obstacle() : undefined
  }

  /** @param text what an earlier supervisor of this container has kept */
  restore(text: string): void {
    this.#take({ type: 'restored', booted: text === 'lost' ? 'lost' : 'yes' })
  }

  /** The lease is ours and the boot stages are behind us. Comes again when the lease was lost and is ours again. */
  begin(): void {
    this.#take({ type: 'begin' })
  }

  reconcile(): readonly string[] {
    if (this.phase !== 'running' || this.#life.lease === 'none') return []
    return this.#options.slots.reconcile()
  }

  leaseIs(state: LeaseState): void {
    this.#take({ type: 'lease', state })
  }

  /** The container stops: init signals, we write down what happens until the last slot is empty. */
  stop(): void {
    this.#take({ type: 'stop' })
    this.drainIfEmpty()
  }

  /** A slot has changed: the last one may be empty now. */
  drainIfEmpty(): void {
    if (this.#life.at !== 'stopping') return
    if (this.#options.slots.areEmpty) this.#take({ type: 'emptied' })
  }

  /** init is gone: after a stop that is the end; in the foreground a user may have killed it. */
  initEnded(): void {
    this.#take({ type: 'init-gone' })
  }

  #take(event: LifeEvent): void {
    const [next, ...effects] = stepLife(this.#life, event)
    this.#life = next
    for (const effect of effects) this.#perform[effect.type](effect as never)
  }

  readonly #perform: Perform = {
    sign: ({ quietly }) => this.#counter.held({ quietly }),
    count: () => this.#counter.count(),
    'warn-busy': () => {
      // init has logged the reason, unless another container holds the volume: only the file names that container.
      if (this.#counter.obstacle() !== undefined) return
      const { journal, start } = this.#options
      journal.warn(`${start.home}: ${volumeUserText(this.#counter.holderHost())}. ${FREE_THE_VOLUME}`)
    },
    report: ({ state }) => this.#options.send({ type: 'lease', state }),
    fill: () => void this.#options.volume.fill(this.#isOurs).then(() => this.#take({ type: 'filled' })),
    open: ({ first }) => this.#open(first),
    resume: () => this.#options.slots.resume(),
    answer: () => this.#answered.resolve(),
    settle: () => {
      this.#options.volume.sweep(this.#isOurs)
      if (this.#options.start.foreground) this.#options.logNextSteps()
    },
    keep: ({ booted }) => this.#options.stateStore.keep('.booted', booted),
    'stop-slots': () => this.#options.slots.stop(),
    hold: () => this.#options.slots.hold(),
    halt: () => this.#options.slots.halt(),
    close: () => {
      const { statusFiles, logs } = this.#options.ending
      statusFiles.flush()
      this.#options.controlChannels().leave()
      void logs.closeAll().then(() => this.#take({ type: 'closed' }))
    },
    release: () => this.#counter.release(),
    drained: () => this.#options.send({ type: 'drained' }),
    'end-alone': ({ expected }) => this.#endAlone(expected),
  }

  #open(isFirst: boolean): void {
    const { slots, journal, start } = this.#options
    slots.write()
    journal.open(homePaths(start.home).supervisorLog)
    if (this.#life.lease !== 'none') slots.open(isFirst, () => this.reconcile())
  }

  #endAlone(expected: boolean): void {
    const { journal, slots, ending, controlChannels } = this.#options
    if (!expected) journal.error('init is gone; the slots are stopped')
    slots.close()
    controlChannels().close()
    controlChannels().leave()
    ending
      .stopOrphans()
      .then(() => ending.logs.closeAll())
      .then(() => this.#counter.release())
      .finally(() => ending.exit(0))
  }

  readonly #isOurs = (): boolean => isOurs(this.#life)
}
