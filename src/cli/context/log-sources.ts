/** Chooses the files that `hermes logs` reads. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LogSource } from '../../log/history/log-source.ts'
import { loadConfig } from '../../profile/config/config.ts'
import { listProfiles, type ProfileEntry, requireProfile } from '../../profile/directory/disk.ts'
import { DEFAULT_PROFILE, isProfileName } from '../../profile/names.ts'
import { HermesError } from '../../system/errors.ts'
import { gatewaySlot, homePaths, profileDir, slotLogDir } from '../../system/paths.ts'
import type { Context } from './context.ts'

/** Logs that every profile has. */
const OF_PROFILE = ['agent', 'errors', 'current'] as const
/** Logs that exist once per volume. */
const OF_VOLUME = [
  'boot',
  'supervisor',
  'dashboard',
  'dispatcher',
  'meter',
  'notifier',
  'forwarder',
  'front-port',
] as const
export const KINDS = [...OF_PROFILE, ...OF_VOLUME] as const
type Kind = (typeof KINDS)[number]

const isOneOf = <K extends string>(kinds: readonly K[], text: string): text is K =>
  (kinds as readonly string[]).includes(text)

export interface RequestedLogs {
  /** Names of profiles, or kinds of log. */
  readonly names: readonly string[]
  /** `--all`: every profile. */
  readonly all: boolean
  /** `--of` */
  readonly of: string | undefined
}

/**
 * The logs to read. A name is a profile's first, and a kind of log only if no profile has that name.
 * @throws HermesError USAGE, NO_SUCH_PROFILE
 */
export function logSources(context: Context, { names, all, of }: RequestedLogs): readonly LogSource[] {
  const kind = of === undefined ? undefined : kindOf(of)
  if (kind !== undefined && isOneOf(OF_VOLUME, kind)) {
    if (names.length === 0 && !all) return [volumeLog(context, kind)]
    throw new HermesError('USAGE', `the ${kind} log exists once, not per profile`, {
      next: `hermes logs --of ${kind}`,
    })
  }
  if (all) return listProfiles(context.home).profiles.map(({ name }) => profileLog(context, name, kind ?? 'current'))
  if (names.length === 0) return [ownLog(context, kind)]
  const unique = [...new Set(names.map((name) => name.trim().toLowerCase()))]
  return unique.map((name) => namedLog(context, name, kind))
}

function kindOf(text: string): Kind {
  const name = text.trim().toLowerCase()
  if (isOneOf(KINDS, name)) return name
  throw new HermesError('USAGE', `--of must be one of ${KINDS.join(', ')}, not ${JSON.stringify(text.slice(0, 80))}`)
}

function namedLog(context: Context, name: string, kind: (typeof OF_PROFILE)[number] | undefined): LogSource {
  const isTaken = name === DEFAULT_PROFILE || (isProfileName(name) && existsSync(profileDir(context.home, name)))
  if (!isTaken && kind === undefined && isOneOf(KINDS, name))
    return isOneOf(OF_VOLUME, name) ? volumeLog(context, name) : ownLog(context, name)
  const source = profileLog(context, name, kind ?? 'current')
  // Logs kept by "profile delete --keep-logs" stay readable.
  if (isProfileName(name) && existsSync(source.dir)) return source
  return profileLog(context, requireProfile(context.home, name).name, kind ?? 'current')
}

/** The log of a profile: if no kind is given, the events of the built-in gateway, or the output of its own program. */
function ownLog(context: Context, kind: (typeof OF_PROFILE)[number] | undefined): LogSource {
  const profile = context.profile()
  const source = profileLog(context, profile.name, kind ?? (hasEvents(profile) ? 'agent' : 'current'))
  return source.name === undefined ? source : { ...source, slot: source.name.replace(/\.log$/, '') }
}

/** Tells whether the profile runs the built-in gateway and that gateway has written a log. */
const hasEvents = ({ dir }: ProfileEntry): boolean =>
  existsSync(join(dir, 'logs', 'agent.log')) && loadConfig(join(dir, 'config.yaml')).config.gateway.command === null

function profileLog({ home }: Context, name: string, kind: (typeof OF_PROFILE)[number]): LogSource {
  if (kind === 'current') return { slot: name, dir: slotLogDir(home, gatewaySlot(name)) }
  return { slot: name, dir: join(profileDir(home, name), 'logs'), name: `${kind}.log` }
}

function volumeLog({ home }: Context, kind: (typeof OF_VOLUME)[number]): LogSource {
  const { logs } = homePaths(home)
  switch (kind) {
    case 'boot':
      return { slot: kind, dir: logs, name: 'container-boot.log' }
    case 'supervisor':
      return { slot: kind, dir: logs, name: 'supervisor.log' }
    case 'dashboard':
    case 'dispatcher':
    case 'meter':
    case 'notifier':
    case 'forwarder':
    case 'front-port':
      return { slot: kind, dir: slotLogDir(home, kind) }
  }
}
