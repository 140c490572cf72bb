import type { Journal } from '../log/io/journal.ts'
import { truthy } from '../profile/environment/environment.ts'
import { METER } from '../profile/environment/metered.ts'
import { FORWARDER, FRONT_PORT, NOTIFIER } from '../profile/names.ts'
import { readDesired } from '../profile/state/state.ts'
import type { SupervisorStart } from '../protocol/start-up.ts'
import { isOccupied } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import { profileDir, profileOfSlot } from '../system/paths.ts'
import type { GatewayFiles } from './operator/gateway-files.ts'
import type { StatusFiles } from './operator/status-files.ts'
import { DISPATCHER, type DispatcherSlot } from './reconcile/dispatcher-slot.ts'
import type { MeterSlot } from './reconcile/meter-slot.ts'
import type { ProfileSlots } from './reconcile/profiles.ts'
import type { TargetSlot } from './reconcile/target-slot.ts'
import { watchProfiles } from './reconcile/watch.ts'
import type { ServiceSlots } from './services/image-services.ts'
import type { ScheduledGateways } from './services/scheduled-gateways.ts'
import type { WaitingGateways } from './services/waiting-gateways.ts'
import type { SlotTable } from './slots/table.ts'

/** The dashboard's slot; a container whose main program it is has no such slot. */
const DASHBOARD = 'dashboard'

/** Helpers that write to the volume. */
const ON_VOLUME: readonly string[] = [DISPATCHER, METER, NOTIFIER, FORWARDER]

export interface VolumeSlotsOptions {
  readonly start: Pick<SupervisorStart, 'home' | 'foreground' | 'main'>
  /** The container environment. */
  readonly container: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly journal: Journal
  readonly table: SlotTable
  readonly profiles: ProfileSlots
  readonly dispatcher: DispatcherSlot
  readonly meter: MeterSlot
  /** The slots of the notifier and the forwarder. */
  readonly targets: readonly TargetSlot[]
  readonly services: ServiceSlots
  readonly waiting: Pick<WaitingGateways, 'begin'>
  readonly scheduled: Pick<ScheduledGateways, 'begin'>
  readonly files: GatewayFiles
  readonly statusFiles: StatusFiles
}

/** The slots that use the volume: registered, stopped and brought back with it. When, the volume's life decides. */
export class VolumeSlots {
  readonly #options: VolumeSlotsOptions
  #watch: { close(): void } | undefined

  constructor(options: VolumeSlotsOptions) {
    this.#options = options
  }

  get areEmpty(): boolean {
    return !this.#options.table.entries().some(({ slot }) => isOccupied(slot))
  }

  /** Compares the disk with the slots. @returns one line per step */
  reconcile(): readonly string[] {
    const { dispatcher, meter, targets, profiles } = this.#options
    dispatcher.update()
    const steps = profiles.reconcile()
    meter.poll()
    for (const slot of targets) slot.poll()
    return steps
  }

  /** State files are not written: the volume is another container's. */
  hold(): void {
    this.#options.files.hold(true)
  }

  /** The volume can be written: state files are. */
  write(): void {
    this.#options.files.hold(false)
  }

  /**
   * Registers what is on the disk, and watches it. One part that fails must not keep the others, or the answer to those
   * who wait, away.
   * @param reconcile what a change on the disk leads to
   */
  open(isFirst: boolean, reconcile: () => void): void {
    try {
      this.#register(isFirst, reconcile)
    } catch (error) {
      this.#options.journal.error(`the boot went wrong: ${(error as Error).stack}`)
    }
  }

  #register(isFirst: boolean, reconcile: () => void): void {
    const { start, container, journal, table, profiles, dispatcher, meter, targets } = this.#options
    const { services, waiting, scheduled, clock } = this.#options
    const { home, foreground, main } = start
    if (isFirst && foreground && main.length === 0) this.#startDefault()
    try {
      if (isFirst) profiles.boot()
      else profiles.reconcile()
    } catch (error) {
      // The watcher and the poll below try again; the helpers do not depend on it.
      journal.error(`the profiles could not be looked at: ${(error as Error).stack}`)
    }
    table.register(DASHBOARD, truthy(container.HERMES_DASHBOARD))
    if (container.HERMES_FRONT_PORT) table.register(FRONT_PORT, true)
    dispatcher.watch()
    meter.watch()
    for (const slot of targets) slot.watch()
    services.begin(isFirst)
    waiting.begin()
    scheduled.begin()
    const polled = (): void => {
      dispatcher.poll()
      meter.poll()
      for (const slot of targets) slot.poll()
    }
    this.#watch = watchProfiles({ home, clock, changed: reconcile, polled, warn: journal.warn })
  }

  /** The lease was another container's for a while and is ours again: what should run does. */
  resume(): void {
    const { table, files, start, dispatcher, meter, targets } = this.#options
    files.hold(false)
    dispatcher.watch()
    meter.watch()
    for (const slot of targets) slot.watch()
    this.reconcile()
    for (const { key, slot } of table.entries()) {
      const profile = profileOfSlot(key)
      // One that is still stopping starts again when its process has ended.
      if (profile === undefined || slot.wanted !== 'down') continue
      if (readDesired(profileDir(start.home, profile)).wanted === 'running')
        table.dispatch(key, { type: 'want', wanted: 'up' })
    }
  }

  /** The lease is another container's: what uses the volume goes down. */
  stop(): void {
    const { journal, dispatcher, meter, targets, table, files } = this.#options
    // The state files are the other one's now.
    files.hold(true)
    dispatcher.forget()
    meter.forget()
    for (const slot of targets) slot.forget()
    const onVolume = table
      .entries()
      .filter(({ key, job }) => profileOfSlot(key) !== undefined || job !== undefined || ON_VOLUME.includes(key))
    if (onVolume.some(({ slot }) => isOccupied(slot)))
      journal.error('another container has taken the volume; the gateways here are stopped')
    for (const { key } of onVolume) table.dispatch(key, { type: 'want', wanted: 'down' })
  }

  /** The container stops: init signals; what ends is written down and nothing is started. */
  halt(): void {
    const { table, services, files, statusFiles } = this.#options
    statusFiles.writeNow()
    statusFiles.containerStops()
    const occupied = table.entries().filter(({ slot }) => isOccupied(slot))
    files.containerStops(new Set(occupied.map(({ key }) => key)))
    services.stop()
    this.close()
    for (const { key } of table.entries()) table.dispatch(key, { type: 'halt' })
  }

  /** Nothing on the disk leads to a start any more. */
  close(): void {
    this.#watch?.close()
    this.#options.profiles.close()
  }

  /** `npm start` counts as an operator's start of the default gateway. */
  #startDefault(): void {
    try {
      this.#options.files.want('default', 'running')
    } catch (error) {
      this.#options.journal.warn(
        `the default gateway is not started, its desired state cannot be written: ${(error as Error).message}`,
      )
    }
  }
}
