/** Tells when a changed key of config.yaml takes effect. */
import { HermesError } from '../../system/errors.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { CONFIG_KEYS, configKeys } from './keys.ts'

export interface Effect {
  /** Completes "it counts …". */
  readonly when: string
  /** Command that makes it effective now; absent: it already is, or nothing needs to be done. */
  readonly next?: string
}

/** @param key one that exists, a name below one (`gateway.env.PORT`), or a section */
export function effectOf(key: string, profile: string): Effect {
  const hermes = `hermes -p ${profile}`
  const [section] = key.split('.')
  if (key === 'description') return { when: 'at once' }
  if (key === 'kanban.dispatch_in_gateway') return { when: 'within two seconds' }
  if (section === 'kanban' || key === 'agent.pool')
    return { when: 'from the next tick of the dispatcher', next: 'hermes kanban dispatch' }
  if (section === 'notify') return { when: 'within two seconds', next: 'hermes notify list' }
  if (section === 'forward') return { when: 'within two seconds', next: 'hermes forward list' }
  if (section === 'dashboard') return { when: 'from the next start of the dashboard', next: 'hermes dashboard restart' }
  if (section === 'budget')
    return {
      when: 'for requests through the meter at once; the first budget of a profile from the next start of its gateway',
      next: `${hermes} gateway restart`,
    }
  if (section === 'agent')
    return {
      when: 'for hermes chat and new tasks at once, for a running gateway from its next start',
      next: `${hermes} gateway restart`,
    }
  return { when: 'from the next start of the gateway', next: `${hermes} gateway restart` }
}

const isVolumeWide = (key: string): boolean =>
  configKeys().some(
    (name) =>
      CONFIG_KEYS[name].volumeWide && (name === key || name.startsWith(`${key}.`) || key.startsWith(`${name}.`)),
  )

/** The profile whose config.yaml determines a key. */
export const ownerOf = (key: string, profile: string): string => (isVolumeWide(key) ? DEFAULT_PROFILE : profile)

/** @throws HermesError USAGE for a key that would have no effect in this profile's file */
export function refuseWithoutEffect(key: string, value: string, profile: string): void {
  // Taking out what an editor or a clone has put there is fine.
  if (ownerOf(key, profile) === profile || value.trim() === 'null') return
  throw new HermesError(
    'USAGE',
    `${key} has no effect in the config.yaml of "${profile}": it counts for all profiles`,
    {
      next: `set it in the default profile's: hermes -p ${DEFAULT_PROFILE} config set ${key} VALUE`,
    },
  )
}
