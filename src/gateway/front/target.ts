import { profileExists } from '../../profile/directory/disk.ts'
import { type ApiAddress, readApiAddress } from '../../profile/state/api-address.ts'
import { profileDir } from '../../system/paths.ts'
import type { Refusal } from '../api/http/refusals.ts'
import { needsKey, nothingHere, notRunning, unknownProfile } from './refusals.ts'

export interface Target extends ApiAddress {
  readonly profile: string
  /** For the gateway: begins with `/v1`, with the query. */
  readonly path: string
}

/** @param url as a client sends it @returns undefined: it is not that of a profile's API */
export function frontPath(url: string): Pick<Target, 'profile' | 'path'> | undefined {
  const [, profile = '', path = ''] = /^\/p\/([^/?#]+)(\/v1(?:[/?][^#]*)?)(?:#.*)?$/.exec(url) ?? []
  // A server may take the dots for a way out of /v1.
  const leavesV1 = path.split('?', 1).some((before) => /[/\\](\.|%2e){1,2}([/\\]|$)/i.test(before))
  return profile === '' || leavesV1 ? undefined : { profile, path }
}

/** Where a request is to go, from the files at this moment. */
export function findTarget(home: string, url: string): Target | Refusal {
  const found = frontPath(url)
  if (found === undefined) return nothingHere()
  const { profile } = found
  if (!profileExists(home, profile)) return unknownProfile(profile.slice(0, 64))
  const address = readApiAddress(profileDir(home, profile))
  if (address === undefined) return notRunning(profile)
  return address.keyed ? { ...found, ...address } : needsKey(profile)
}
