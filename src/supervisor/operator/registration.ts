import { existsSync } from 'node:fs'
import type { SlotWait } from '../../protocol/control.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { profileDir, profileOfSlot } from '../../system/paths.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { SlotTable } from '../slots/table.ts'
import { type Asked, DEFAULT_WAIT_MS, type RequestGate } from './request-gate.ts'
import { requireSlot } from './slot-lookup.ts'

export interface RegistrationOptions {
  readonly home: string
  readonly clock: Clock
  readonly table: SlotTable
  readonly gate: RequestGate
  /** Compares the disk with the slots. */
  readonly reconcile: () => void
}

/** Slots of profiles that were made or removed a moment ago: commands do not wait for the watcher of the disk. */
export class Registration {
  readonly #options: RegistrationOptions
  /** Resolves with the next change of any slot; undefined: no waiters. */
  #slotChange: PromiseWithResolvers<void> | undefined

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /** A slot has changed, or is gone. */
  changed(): void {
    this.#slotChange?.resolve()
    this.#slotChange = undefined
  }

  /** @throws HermesError NO_SUCH_SLOT */
  findOrReconcile(key: string): SlotEntry {
    const { table, reconcile } = this.#options
    if (table.get(key) === undefined && profileOfSlot(key) !== undefined) reconcile()
    return requireSlot(table, key)
  }

  /** Resolves when it is there, and no earlier one of its name is left. @throws HermesError NO_SUCH_SLOT, TIMED_OUT */
  register(request: SlotWait & Asked): Promise<SlotEntry> {
    const { slot } = request
    return this.#settled(request, `the slot "${slot}" did not appear in time`, () => this.#registered(slot))
  }

  /** Resolves when the slot is gone. @throws HermesError REFUSED while its profile is there, TIMED_OUT */
  async unregister(request: SlotWait & Asked): Promise<Record<never, never>> {
    const { slot, timeoutMs = DEFAULT_WAIT_MS } = request
    const late = `the slot "${slot}" is still there after ${timeoutMs / 1000} s`
    await this.#options.gate.untilRunning(timeoutMs, request)
    this.#options.reconcile()
    return await this.#settled(request, late, () => this.#unregistered(slot))
  }

  /** Looks at each change of a slot whether it led to a result. @param late message when there is none in time */
  async #settled<T>(request: SlotWait & Asked, late: string, look: () => T | undefined): Promise<T> {
    const { clock, gate } = this.#options
    const { timeoutMs = DEFAULT_WAIT_MS } = request
    const untilMs = clock.nowMs() + timeoutMs
    await gate.untilRunning(timeoutMs, request)
    for (;;) {
      gate.requireRunning()
      const found = look()
      if (found !== undefined) return found
      this.#slotChange ??= Promise.withResolvers()
      const leftMs = untilMs - clock.nowMs()
      if (leftMs > 0 && (await inTime(clock, leftMs, this.#slotChange.promise))) continue
      throw new HermesError('TIMED_OUT', late, { next: 'hermes logs supervisor' })
    }
  }

  /** A slot of that name that is to go, or that runs in the directory, has to be gone first. */
  #registered(key: string): SlotEntry | undefined {
    const { table, reconcile } = this.#options
    if (table.get(key) === undefined) reconcile()
    const entry = table.get(key)
    if (entry?.removing === false) return entry
    return this.#isOnDisk(key) ? undefined : requireSlot(table, key)
  }

  /** The plan confirms that the directory is gone before it removes the slot, and looks again for that by itself. */
  #unregistered(key: string): Record<never, never> | undefined {
    const entry = this.#options.table.get(key)
    if (entry === undefined) return {}
    if (entry.removing || !this.#isOnDisk(key)) return undefined
    throw new HermesError('REFUSED', `the slot "${key}" stays: its profile is still there`, {
      next: 'remove the profile first',
    })
  }

  #isOnDisk(key: string): boolean {
    const profile = profileOfSlot(key)
    return profile !== undefined && existsSync(profileDir(this.#options.home, profile))
  }
}
