import type { ToInit } from '../../protocol/init.ts'
import { shellCode } from '../../slot/ending.ts'
import type { Slot } from '../../slot/slot.ts'

/** S6_BEHAVIOUR_IF_STAGE2_FAILS: the consequence of a service that fails during the boot. */
export type IfBootFails = 'nothing' | 'warn' | 'stop'

/** Reads the variable like init does for hooks: 0, 1, any other value and unset. */
export const ifBootFails = (container: Readonly<Record<string, string>>): IfBootFails => {
  const behaviour = (container.S6_BEHAVIOUR_IF_STAGE2_FAILS ?? '').trim()
  return behaviour === '0' ? 'nothing' : behaviour === '1' ? 'warn' : 'stop'
}

export interface BootServicesOptions {
  readonly ifBootFails: IfBootFails
  readonly send: (message: ToInit) => void
  readonly warn: (text: string) => void
}

/** The services that the main program waits for: init is notified once, when all are up or one cannot come up. */
export class BootServices {
  readonly #options: BootServicesOptions
  readonly #awaited = new Set<string>()
  #reported = false

  constructor(options: BootServicesOptions) {
    this.#options = options
  }

  /** init has been notified; later events of services are not part of the boot. */
  get isOver(): boolean {
    return this.#reported
  }

  /** An earlier supervisor has notified init. */
  markReported(): void {
    this.#reported = true
  }

  expect(name: string, slot: Slot): void {
    if (!this.#reported && !isUp(slot)) this.#awaited.add(name)
  }

  /** @param needing the service and everything that needs it: those fail with it */
  changed(name: string, slot: Slot, needing: () => ReadonlySet<string>): void {
    if (isUp(slot)) this.#awaited.delete(name)
    else if (this.#awaited.size > 0 && hasFailed(slot) && [...needing()].some((one) => this.#awaited.has(one)))
      this.#fail(name, slot)
  }

  reportIfUp(): void {
    if (this.#reported || this.#awaited.size > 0) return
    this.#reported = true
    this.#options.send({ type: 'services-up' })
  }

  #fail(name: string, slot: Slot): void {
    const { ifBootFails, send, warn } = this.#options
    // Waiting services will not come up either: the main program starts without them, or not at all.
    this.#awaited.clear()
    const reason = 'reason' in slot && slot.reason !== undefined ? slot.reason : 'it was not ready in time'
    const why = `service ${name} has not come up: ${reason}`
    if (ifBootFails === 'warn') warn(why)
    if (ifBootFails !== 'stop') return
    const exitCode = (slot.state !== 'stopping' && slot.lastEnding && shellCode(slot.lastEnding.ending)) || 1
    send({ type: 'shutdown', exitCode, reason: `${why}; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on`.slice(0, 1000) })
  }
}

const isUp = ({ state }: Slot): boolean => state === 'up' || state === 'done'
/** Failed for good, or not ready within its time limit. */
const hasFailed = (slot: Slot): boolean =>
  slot.state === 'parked' ||
  (slot.state === 'down' && slot.reason !== undefined) ||
  (slot.state === 'stopping' && slot.cause === 'start-timeout')
