/** Which logs there are. */
import { readdirSync } from 'node:fs'
import { DEFAULT_PROFILE, FORWARDER, isProfileName } from '../../profile/names.ts'
import { unlessCode } from '../../system/error-code.ts'
import { below, gatewaySlot, homePaths, slotLogDir } from '../../system/paths.ts'

export interface ForwardSource {
  readonly slot: string
  /** undefined: of a service or a helper. */
  readonly profile: string | undefined
  readonly dir: string
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/**
 * The logs of gateways, services and helpers, without the forwarder's own: what it reports of a target would be sent
 * there, and make it report more.
 * @param profiles only of their gateways; null: all
 */
export function forwardSources(home: string, profiles: readonly string[] | null): readonly ForwardSource[] {
  const { logs } = homePaths(home)
  const names = (kind: string): readonly string[] =>
    unlessCode(['ENOENT', 'ENOTDIR'], () => readdirSync(below(logs, kind)), []).sort()
  const gateways = names('gateways').filter((name) => name === DEFAULT_PROFILE || isProfileName(name))
  const ofProfiles = gateways
    .filter((name) => profiles === null || profiles.includes(name))
    .map((profile) => ({ slot: gatewaySlot(profile), profile }))
  const others = [...names('services').map((name) => `service-${name}`), ...names('helpers')]
  const ofNone = profiles === null ? others.filter((name) => NAME.test(name) && name !== FORWARDER) : []
  return [...ofProfiles, ...ofNone.map((slot) => ({ slot, profile: undefined }))].map((source) => ({
    ...source,
    dir: slotLogDir(home, source.slot),
  }))
}
