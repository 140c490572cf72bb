import { lstatSync, opendirSync } from 'node:fs'
import { listProfiles } from '../../profile/directory/disk.ts'
import { DEFAULT_PROFILE, isProfileName } from '../../profile/names.ts'
import { copiesAmong } from '../../profile/state/copies.ts'
import { identityOf, type ProfileIdentity, readObserved } from '../../profile/state/gateway-state.ts'
import { type Desired, readDesired, wantsBootstrap } from '../../profile/state/state.ts'
import type { DirId } from '../../system/files/dir-id.ts'
import { dirId } from '../../system/files/dir-id.ts'
import { homePaths, profileDir } from '../../system/paths.ts'
import { type Disk, type DiskProfile, emptyState, type ReconcileState } from './plan.ts'

/**
 * Observes the disk for the reconciler.
 * @param known profiles that have a slot: their state files are not read
 * @param bootstrap HERMES_GATEWAY_BOOTSTRAP_STATE
 */
export function observeDisk(home: string, known: ReadonlySet<string>, bootstrap?: string): Disk {
  const dir = homePaths(home).profiles
  const before = readableId(dir)
  const listing = listProfiles(home, known)
  const profiles: DiskProfile[] = []
  const hidden: string[] = []
  const identities = new Map<string, ProfileIdentity>()
  for (const { name, dir } of listing.profiles) {
    const id = dirId(dir)
    // Listed a moment ago: now either gone, which is fine, or not accessible.
    if (id === undefined && maybeProfile(home, name)) hidden.push(name)
    if (id === undefined) continue
    if (known.has(name)) {
      profiles.push({ name, dir: id })
      continue
    }
    const { identity, ...desired } = desiredOf(home, name, dir, bootstrap)
    if (identity !== undefined) identities.set(name, identity)
    profiles.push({ name, dir: id, desired })
  }
  const copies = copiesAmong(withOriginals(home, identities))
  return {
    // Mounted or unmounted while we looked: then the list belongs to neither.
    parent: before !== undefined && before === readableId(dir) ? before : null,
    profiles: profiles.map((profile) => ({ ...profile, ...pastOf(profile.name, identities, copies) })),
    problems: [
      ...listing.problems.map(({ name, reason }) => ({
        name: name || 'profiles/',
        reason,
        maybe: maybeProfile(home, name),
      })),
      ...hidden.map((name) => ({ name, reason: 'its directory cannot be examined', maybe: true })),
    ],
    moreProblems: listing.moreProblems,
  }
}

/** Adds the recorded names of originals that already have slots: nothing else is read of those. */
function withOriginals(
  home: string,
  identities: ReadonlyMap<string, ProfileIdentity>,
): ReadonlyMap<string, ProfileIdentity> {
  const all = new Map(identities)
  for (const { name } of identities.values()) {
    if (all.has(name) || (name !== DEFAULT_PROFILE && !isProfileName(name))) continue
    const identity = identityOf(readObserved(profileDir(home, name)).observed)
    if (identity !== undefined) all.set(name, identity)
  }
  return all
}

function pastOf(
  name: string,
  identities: ReadonlyMap<string, ProfileIdentity>,
  copies: ReadonlyMap<string, string>,
): Pick<DiskProfile, 'copyOf' | 'formerName'> {
  const copyOf = copies.get(name)
  if (copyOf !== undefined) return { copyOf }
  const formerName = identities.get(name)?.name
  return formerName === undefined || formerName === name ? {} : { formerName }
}

function desiredOf(home: string, name: string, dir: string, bootstrap: string | undefined): Desired {
  const desired = readDesired(dir)
  if (name !== 'default' || desired.wanted !== null) return desired
  const { start, warning } = wantsBootstrap(bootstrap, home)
  return {
    ...desired,
    wanted: start ? 'running' : null,
    warnings: warning === undefined ? desired.warnings : [...desired.warnings, warning],
  }
}

function readableId(dir: string): DirId | undefined {
  try {
    // Opened but not read: only whether it can be listed matters, and it may contain a hundred thousand names.
    opendirSync(dir).closeSync()
    return dirId(dir)
  } catch {
    // Missing or unreadable: for the plan that is the same, and listProfiles reports which.
    return undefined
  }
}

/** A directory or a link has that name, or we cannot tell: its gateway is then left alone. */
function maybeProfile(home: string, name: string): boolean {
  if (name === '' || name === 'default') return false
  try {
    const stat = lstatSync(profileDir(home, name), { throwIfNoEntry: false })
    return stat !== undefined && (stat.isDirectory() || stat.isSymbolicLink())
  } catch {
    // Any error but ENOENT: something may be there.
    return true
  }
}

/**
 * Anything that is not what we wrote counts as no state: then no slot is removed for a profile that is not seen again.
 */
export function parseState(text: string): ReconcileState {
  try {
    const { places, goneSinceMs, reported, named, counted } = JSON.parse(text) as Partial<ReconcileState>
    return isRecord(places) && isRecord(goneSinceMs) && Array.isArray(reported)
      ? { places, goneSinceMs, reported, named: Number(named) || 0, counted: counted === true }
      : emptyState
  } catch {
    // Not JSON: truncated by a full disk.
    return emptyState
  }
}

const isRecord = <T>(value: T | undefined): value is T => typeof value === 'object' && value !== null
