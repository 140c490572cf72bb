import type { Dependency } from '../../profile/config/kinds/program-kinds.ts'
import { serviceOfSlot, serviceSlot } from '../../services/definition.ts'
import { dependedOn, isSatisfied } from '../../services/plan.ts'
import { isOccupied, type SlotEvent } from '../../slot/slot.ts'
import { inNextTurn } from '../../system/next-turn.ts'
import { profileOfSlot } from '../../system/paths.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'
import type { ServiceNote, ServiceSlots } from './image-services.ts'

export interface WaitingGatewaysOptions {
  readonly table: () => Pick<SlotTable, 'get' | 'dispatch'>
  readonly services: Pick<ServiceSlots, 'rules' | 'need'>
  readonly stateStore: Pick<StateStore, 'keep'>
}

/**
 * Gateways whose start waits for others: `gateway.depends_on`. Their slots stay down until then. A service that is
 * needed is started; another gateway is not, because its owner decides that.
 */
export class WaitingGateways {
  readonly #options: WaitingGatewaysOptions
  readonly #waiting = new Set<string>()
  #isRestored = false

  constructor(options: WaitingGatewaysOptions) {
    this.#options = options
  }

  /** @returns true: the event is a start, which waits */
  holds({ key, slot, launch }: SlotEntry, event: SlotEvent): boolean {
    const isStart = event.type === 'restart' || (event.type === 'want' && event.wanted !== 'down')
    if (!isStart || isOccupied(slot) || slot.state === 'backoff') {
      const isStop = event.type === 'halt' || event.type === 'want'
      if (isStop && this.#waiting.delete(key)) this.#save()
      return false
    }
    const missing = this.#missing(key, launch.dependsOn)
    if (missing.length === 0) {
      // Stored after the start: a supervisor that dies in between must not lose it.
      if (this.#waiting.delete(key)) this.#saveSoon()
      return false
    }
    if (this.#waiting.has(key)) return true
    this.#waiting.add(key)
    this.#save()
    this.#startServices(key)
    return true
  }

  /** Names of what is missing for a start now. */
  missing(key: string): readonly string[] {
    return this.#missing(key, this.#options.table().get(key)?.launch.dependsOn).map(({ name }) => name)
  }

  /** A slot has changed: what waited for it starts. */
  changed(): void {
    for (const key of [...this.#waiting]) {
      const entry = this.#options.table().get(key)
      if (entry === undefined) {
        this.#waiting.delete(key)
        this.#save()
      } else if (this.#missing(key, entry.launch.dependsOn).length === 0)
        this.#options.table().dispatch(key, { type: 'want', wanted: 'up' })
    }
  }

  /** Why it does not start yet; undefined: it does not wait. */
  waitsFor(key: string): string | undefined {
    if (!this.#waiting.has(key)) return undefined
    const missing = this.#missing(key, this.#options.table().get(key)?.launch.dependsOn)
    return `waits for ${missing.map(({ name, until }) => this.#describe(name, until)).join(', ')}`
  }

  note(key: string): ServiceNote {
    const reason = this.waitsFor(key)
    return reason === undefined ? {} : { wanted: 'up', reason }
  }

  /** @param text the file of an earlier supervisor of this container's life */
  restore(text: string): void {
    const names: unknown = JSON.parse(text)
    if (!Array.isArray(names)) throw new Error('it is not a list')
    for (const name of names) if (typeof name === 'string') this.#waiting.add(name)
    this.#isRestored = true
  }

  /**
   * All slots and services are known: the services that are needed start, and what waited when the last supervisor
   * ended goes on waiting, or starts.
   */
  begin(): void {
    if (!this.#isRestored) {
      for (const key of this.#waiting) this.#startServices(key)
      return
    }
    for (const key of [...this.#waiting]) {
      // One by one: what is stored while one starts holds the later ones.
      this.#waiting.delete(key)
      this.#options.table().dispatch(key, { type: 'want', wanted: 'up' })
    }
    this.#save()
  }

  #startServices(key: string): void {
    const { services } = this.#options
    const names = this.missing(key).flatMap((name) => this.#slotsOf(name).flatMap((slot) => serviceOfSlot(slot) ?? []))
    services.need(names.filter((name) => services.rules(name) !== undefined))
  }

  #missing(key: string, dependsOn: readonly Dependency[] | undefined): readonly Dependency[] {
    const { table } = this.#options
    return (dependsOn ?? []).filter((one) =>
      this.#slotsOf(one.name).some(
        (on) => !isSatisfied(one, dependedOn(table().get(on)?.slot)) && !this.#isCircle(key, on),
      ),
    )
  }

  /** Two gateways that depend on each other would wait without end: neither waits for the other. */
  #isCircle(key: string, from: string): boolean {
    const seen = new Set([from])
    // The iterator of a Set also visits elements added during the loop.
    for (const one of seen) {
      if (one === key) return true
      for (const { name } of this.#options.table().get(one)?.launch.dependsOn ?? [])
        for (const on of this.#slotsOf(name)) seen.add(on)
    }
    return false
  }

  /** A service of the image comes first, or all of its replicas; a gateway is written as its slot. */
  #slotsOf(name: string): readonly string[] {
    const { services } = this.#options
    if (services.rules(name) !== undefined) return [serviceSlot(name)]
    if (profileOfSlot(name) !== undefined) return [name]
    const replicas: string[] = []
    for (let i = 1; services.rules(`${name}-${i}`) !== undefined; i++) replicas.push(serviceSlot(`${name}-${i}`))
    return replicas.length > 0 ? replicas : [serviceSlot(name)]
  }

  #describe(name: string, until: Dependency['until']): string {
    const exists = this.#slotsOf(name).every((slot) => this.#options.table().get(slot) !== undefined)
    if (!exists) return `${name}, which does not exist`
    return until === 'ready' ? name : `${name} (${until})`
  }

  readonly #saveSoon = inNextTurn(() => this.#save())

  #save(): void {
    this.#options.stateStore.keep('.waiting', JSON.stringify([...this.#waiting]))
  }
}
