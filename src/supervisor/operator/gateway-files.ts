import {
  type DesiredState,
  type GatewayStateFacts,
  gatewayStateOf,
  writeDesired,
  writeGatewayState,
} from '../../profile/state/state.ts'
import { asksForRestart, isSuccess, permanentReason } from '../../slot/ending.ts'
import { childOf, isInFlight, type Slot } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import { profileDir, profileOfSlot } from '../../system/paths.ts'
import type { SlotEntry } from '../slots/entry.ts'

export interface GatewayFilesOptions {
  readonly home: string
  readonly instance: string
  readonly clock: Clock
  readonly warn: (text: string) => void
}

/** gateway_state.json of each profile: what was observed, for people, scripts and the next boot. */
export class GatewayFiles {
  readonly #options: GatewayFilesOptions
  /** Last written content, by slot: a change with the same content is not written. */
  readonly #written = new Map<string, string>()
  readonly #failing = new Set<string>()
  /** Slots that had a process when the container's stop was requested; undefined: it was not. */
  #stopped: ReadonlySet<string> | undefined
  #held = false

  constructor(options: GatewayFilesOptions) {
    this.#options = options
  }

  /**
   * From now on the states are frozen, so that the next boot starts what was running. Only the endings of their
   * processes are added.
   * @param occupied slots with a process
   */
  containerStops(occupied: ReadonlySet<string>): void {
    this.#stopped ??= occupied
  }

  /** Nothing is written while another container holds the volume. */
  hold(held: boolean): void {
    this.#held = held
  }

  record({ key, slot, removing }: SlotEntry): void {
    const profile = profileOfSlot(key)
    // While a slot is removed, its directory is gone: a directory of that name is a new profile's.
    if (profile === undefined || removing || this.#held || isInFlight(slot)) return
    const facts =
      this.#stopped === undefined ? this.#observed(slot) : this.#stopped.has(key) ? finalFacts(slot) : undefined
    if (facts === undefined) return
    const text = JSON.stringify(facts)
    if (this.#written.get(key) === text) return
    const { home, clock, warn } = this.#options
    const dir = profileDir(home, profile)
    try {
      writeGatewayState(dir, profile, { ...facts, updatedAtMs: clock.wallMs() })
      this.#written.set(key, text)
      this.#failing.delete(key)
    } catch (error) {
      // The directory of a profile that is being deleted goes before its slot does.
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && !this.#failing.has(key)) warn(`cannot write ${dir}/gateway_state.json: ${message}`)
      this.#failing.add(key)
    }
  }

  forget(key: string): void {
    this.#written.delete(key)
    this.#failing.delete(key)
  }

  /** @throws the error of the file system if an operator's command could not be stored */
  want(profile: string, state: DesiredState): void {
    writeDesired(profileDir(this.#options.home, profile), state)
  }

  #observed(slot: Slot): Omit<GatewayStateFacts, 'updatedAtMs'> {
    const child = childOf(slot)
    return {
      gatewayState: gatewayStateOf[slot.state],
      pid: child?.pid ?? null,
      startTime: child?.startTime ?? null,
      exitReason: 'reason' in slot ? (slot.reason ?? null) : null,
      restarts: slot.restarts,
      instance: this.#options.instance,
      clean: (slot.state === 'down' || slot.state === 'parked') && isOrderly(slot),
    }
  }
}

function finalFacts(slot: Slot): Omit<GatewayStateFacts, 'updatedAtMs'> | undefined {
  if (slot.state !== 'down' || slot.lastEnding === undefined) return undefined
  return { clean: isOrderly(slot) }
}

/**
 * Tells how its last process ended: as requested, by itself or by the stop signal; or without a request, with a code
 * that is not a failure: done, restart me, do not restart me.
 */
function isOrderly({ lastEnding, policy }: Slot): boolean {
  if (lastEnding === undefined) return true
  const { ending, asked } = lastEnding
  if ('signal' in ending) return ending.signal === policy.stopSignal || ending.signal === 'TERM'
  return asked === true || isSuccess(ending) || asksForRestart(ending) || permanentReason(ending) !== undefined
}
