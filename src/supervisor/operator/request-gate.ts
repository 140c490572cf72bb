import type { Request, StatusResult } from '../../protocol/control.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../../protocol/volume-user.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { SlotTable } from '../slots/table.ts'

/** Default time that a client waits: longer than a start with the default `start_timeout`. */
export const DEFAULT_WAIT_MS = 90_000
/**
 * A question about a slot is answered sooner, however long the hooks of the boot take: clients wait for twice as long.
 */
const QUESTION_WAIT_MS = 5_000

/** Phase of the container's life (`Life`). */
export interface ContainerLife {
  readonly phase: StatusResult['phase']
  /** Resolves when the boot is over, whatever it led to. */
  whenBooted(): Promise<void>
  /** The container that holds the volume, if it is another one. */
  holder(): string | undefined
  holderHost(): string | undefined
  /** Reason why that is unknown, while the gateways wait for it. */
  obstacle(): string | undefined
  reconcile(): readonly string[]
}

/** The part of a request that matters to the gate. */
export type Asked = Pick<Request, 'belowInit'>

/** Holds requests back until the container's life allows them. */
export class RequestGate {
  readonly #clock: Clock
  readonly #life: ContainerLife

  constructor(clock: Clock, life: ContainerLife) {
    this.#clock = clock
    this.#life = life
  }

  /** A command given during the boot (`docker run -d …; docker exec …`) is carried out after it. */
  async untilRunning(timeoutMs: number, asked: Asked = {}): Promise<void> {
    await this.untilBooted(timeoutMs, asked)
    this.requireRunning()
  }

  /** The same for a query about a slot: the boot registers the slots one after the other. */
  async untilKnown(table: Pick<SlotTable, 'get'>, keys: readonly string[], asked: Asked): Promise<void> {
    const isMissing = (): boolean => keys.some((key) => table.get(key) === undefined)
    if (isMissing()) await this.untilBooted(QUESTION_WAIT_MS, asked)
    // Before the volume is ours there are no slots: that one is missing says nothing then.
    if (isMissing()) this.requireRunning()
  }

  /** @throws HermesError with the detail BOOTING for a program that the boot may wait for */
  async untilBooted(timeoutMs: number, { belowInit = false }: Asked): Promise<void> {
    if (this.#life.phase !== 'booting') return
    if (belowInit) throw waitedFor()
    await inTime(this.#clock, timeoutMs, this.#life.whenBooted())
  }

  requireRunning(): void {
    switch (this.#life.phase) {
      case 'running':
        return
      case 'stopping':
        throw new HermesError('STOPPING', 'the container is stopping')
      case 'waiting': {
        const obstacle = this.#life.obstacle()
        if (obstacle !== undefined)
          throw new HermesError('VOLUME_BUSY', `cannot tell which container uses this volume: ${obstacle}`, {
            next: 'remove it; this container then continues by itself',
          })
        throw new HermesError('VOLUME_BUSY', volumeUserText(this.#life.holderHost()), {
          next: FREE_THE_VOLUME,
        })
      }
      case 'booting':
        throw stillBooting()
    }
  }
}

const waitedFor = (): HermesError =>
  new HermesError('TIMED_OUT', 'the container is still booting, and its boot waits for this program', {
    detail: 'BOOTING',
    next:
      'run it in a service or by docker exec; to start a gateway with the container, ' +
      'write "running" to desired_state in the directory of its profile',
  })

const stillBooting = (): HermesError =>
  new HermesError('TIMED_OUT', 'the container is still booting', {
    next: 'see "hermes logs supervisor" and the container\'s own output',
  })
