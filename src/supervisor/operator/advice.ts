import type { Warning } from '../../protocol/control.ts'
import { profileOfSlot } from '../../system/paths.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { ProfileSlots } from '../reconcile/profiles.ts'
import type { ServiceSlots } from '../services/image-services.ts'
import type { SlotTable } from '../slots/table.ts'

const MAX_WARNINGS = 100

export interface StatusAdviceOptions {
  readonly table: Pick<SlotTable, 'entries'>
  readonly launcher: Pick<Launcher, 'answers' | 'problems'>
  readonly profiles: Pick<ProfileSlots, 'warnings'>
  readonly services: Pick<ServiceSlots, 'problems'>
  readonly hasSocket: boolean
}

/** Warnings and next steps for the operator. */
export class StatusAdvice {
  readonly #options: StatusAdviceOptions

  constructor(options: StatusAdviceOptions) {
    this.#options = options
  }

  /** There are profiles, and no gateway of them has an agent that answers. */
  needsAgent(): boolean {
    const { launcher } = this.#options
    const profiles = this.#profiles()
    return profiles.length > 0 && !profiles.some((profile) => launcher.answers(profile))
  }

  /** @param obstacle reason why the container that uses the volume is unknown, while the gateways wait for that */
  warnings(obstacle: string | undefined): readonly Warning[] {
    const { launcher, profiles, services, hasSocket } = this.#options
    const ofConfigs = this.#profiles().flatMap((profile) =>
      launcher.problems(profile).map((text): Warning => ({ code: 'CONFIG', profile, text })),
    )
    const ofServices = services.problems.map((text): Warning => ({ code: 'SERVICE', text }))
    const ofControl: readonly Warning[] = hasSocket ? [] : [{ code: 'NO_SOCKET', text: 'there is no control socket' }]
    const why = `the gateways wait: cannot tell which container uses this volume: ${obstacle}`
    const ofVolume: readonly Warning[] = obstacle === undefined ? [] : [{ code: 'VOLUME', text: why }]
    return [...ofVolume, ...profiles.warnings, ...firstOf(ofConfigs), ...ofServices, ...ofControl]
  }

  #profiles(): readonly string[] {
    return this.#options.table.entries().flatMap(({ key }) => profileOfSlot(key) ?? [])
  }
}

/** A status is one message over the control socket, whatever a thousand profiles have in their settings. */
function firstOf(all: readonly Warning[]): readonly Warning[] {
  const more = all.length - MAX_WARNINGS
  if (more <= 0) return all
  return [...all.slice(0, MAX_WARNINGS), { code: 'MORE', text: `and ${more} more; "hermes doctor" shows all` }]
}
