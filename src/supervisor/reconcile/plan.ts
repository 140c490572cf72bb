/**
 * The reconciler's plan: from the profiles on disk and the slots there are to the steps that make them agree. Pure; the
 * same at boot, on a change, on the poll and on demand. Applying a plan and planning again gives no steps.
 *
 * A slot is removed only when the *directory* of its profile is gone, `profiles/` is readable and the very directory it
 * was seen in, and all that is still so CONFIRM_MS later: neither an editor's save, nor a lost mount, nor a restore
 * kills a gateway.
 */
import type { Desired, DesiredState, PriorExit } from '../../profile/state/state.ts'
import type { DirId } from '../../system/files/dir-id.ts'

/** Time for which a directory must have been gone before its slot is removed. */
export const CONFIRM_MS = 2000

export interface DiskProfile {
  readonly name: string
  readonly dir: DirId
  /** Read for profiles that have no slot yet only: 1,000 profiles are looked at every other second. */
  readonly desired?: Omit<Desired, 'identity'>
  /**
   * Read likewise. The profile that this directory is a copy of, or, if its files were written under another name,
   * that name.
   */
  readonly copyOf?: string
  readonly formerName?: string
}

export interface Disk {
  /** `profiles/` itself; null: missing or unreadable, so it is unknown which profiles are gone. */
  readonly parent: DirId | null
  /** `default` first, then by name. */
  readonly profiles: readonly DiskProfile[]
  /** Entries that are not profiles. `maybe`: the entry could still be the profile of that name (a broken link). */
  readonly problems: readonly { readonly name: string; readonly reason: string; readonly maybe: boolean }[]
  /** Number of further entries that are not named. */
  readonly moreProblems: number
}

export interface KnownSlot {
  readonly profile: string
  /** Its process runs, or will start by itself: any state but down and parked. */
  readonly living: boolean
  /** A `remove` step is being carried out. */
  readonly removing: boolean
  /** The directory its process was started in, where that is known; else where its profile was last seen counts. */
  readonly dir?: DirId
}

/**
 * State that the plan carries from one reconciliation to the next; plain JSON, so that it survives the supervisor
 * (times are CLOCK_MONOTONIC ms).
 */
export interface ReconcileState {
  /** Place where each slot's profile was last seen. */
  readonly places: { readonly [profile: string]: Place }
  /** Since when it has been missing there. */
  readonly goneSinceMs: { readonly [profile: string]: number }
  /** Reports that were made and still hold. */
  readonly reported: readonly string[]
  /** Number of entries of `profiles/` named in this container's life, and whether the rest was counted. */
  readonly named: number
  readonly counted: boolean
}

interface Place {
  readonly dir: DirId
  readonly parent: DirId | null
  /** Its slot was being removed: what has its name after that is a new profile. */
  readonly leaving?: true
}

export type ReconcileStep =
  | {
      readonly type: 'register'
      readonly profile: string
      readonly start: boolean
      readonly priorState: string | null
      readonly priorExit: PriorExit
      readonly warnings: readonly string[]
      /** Its files belong to the profile of this name, of which it is a copy: they are removed. */
      readonly copyOf?: string
      /** Its files were written under another name: they get the new one. */
      readonly renamed?: true
      /** `desired_state` was overruled by a later command: it is rewritten. */
      readonly restate?: DesiredState
    }
  | { readonly type: 'remove'; readonly profile: string }
  /** An entry of `profiles/` without a slot; reported once. */
  | { readonly type: 'skip'; readonly name: string; readonly reason: string }
  /** Number of further entries of `profiles/` without a slot; reported once in a container's life. */
  | { readonly type: 'skip-more'; readonly count: number }
  /** Slots stay although their profiles are not visible; reported once. */
  | { readonly type: 'keep'; readonly profiles: readonly string[]; readonly reason: string }

export interface Plan {
  readonly steps: readonly ReconcileStep[]
  readonly state: ReconcileState
  /** Plan again then, even if nothing changes on disk. */
  readonly againAtMs?: number
}

export const emptyState: ReconcileState = { places: {}, goneSinceMs: {}, reported: [], named: 0, counted: false }

/**
 * Number of entries that are named in a container's life although they are not profiles: moving many files must not
 * flood the log.
 */
export const MAX_NAMED = 20

/**
 * @param slots the gateway slots there are
 * @param nowMs CLOCK_MONOTONIC
 * @param boot the first plan of a container's life: what the files say is what was wanted. A profile that appears later
 * is down.
 */
export function planReconcile(
  disk: Disk,
  slots: readonly KnownSlot[],
  state: ReconcileState,
  nowMs: number,
  boot = false,
): Plan {
  const missing = planMissing(disk, slots, state, nowMs)
  const found = planFound(disk, slots, state, nowMs, boot)
  const reported = new Set(state.reported)
  const isNew = (report: ReconcileStep): boolean => !reported.has(reportKey(report))
  const skips = disk.problems.map(({ name, reason }): ReconcileStep => ({ type: 'skip', name, reason }))
  const strays = skips.filter(isNew)
  const named = strays.slice(0, Math.max(0, MAX_NAMED - state.named))
  const moreStrays = strays.length - named.length + disk.moreProblems
  const counts = moreStrays > 0 && !state.counted
  const others = [...found.reports, ...missing.reports]
  const again = [missing.againAtMs, found.againAtMs].filter((at) => at !== undefined)
  return {
    steps: [
      ...missing.steps,
      ...found.steps,
      ...named,
      ...(counts ? [{ type: 'skip-more', count: moreStrays } as const] : []),
      ...others.filter(isNew),
    ],
    state: {
      places: { ...missing.places, ...found.places },
      goneSinceMs: missing.goneSinceMs,
      // Only reports that still hold: a condition is reported again if it recurs.
      reported: [...skips.filter((skip) => !isNew(skip) || named.includes(skip)), ...others].map(reportKey),
      named: state.named + named.length,
      counted: state.counted || counts,
    },
    ...(again.length === 0 ? {} : { againAtMs: Math.min(...again) }),
  }
}

type Places = Record<string, Place>
interface Part {
  readonly steps: readonly ReconcileStep[]
  /** Reported once. */
  readonly reports: readonly ReconcileStep[]
  readonly places: Places
  readonly againAtMs: number | undefined
}

/** Existing slots: where they are now, and which have lost their directory for good. */
function planMissing(
  disk: Disk,
  slots: readonly KnownSlot[],
  state: ReconcileState,
  nowMs: number,
): Part & { readonly goneSinceMs: Record<string, number> } {
  const onDisk = new Map(disk.profiles.map((profile) => [profile.name, profile.dir]))
  const maybe = new Set(disk.problems.filter((problem) => problem.maybe).map((problem) => problem.name))
  const places: Places = {}
  const goneSinceMs: Record<string, number> = {}
  const steps: ReconcileStep[] = []
  const kept: string[] = []
  const moved: string[] = []
  let againAtMs: number | undefined
  for (const { profile, living, removing, dir: startedIn } of slots) {
    const dir = onDisk.get(profile)
    if (dir !== undefined) {
      // A process that does not say where it runs runs where its profile was when it was first seen, even if another is
      // there now.
      const runsIn = living && startedIn === undefined ? state.places[profile]?.dir : undefined
      places[profile] = { dir: runsIn ?? dir, parent: disk.parent, ...(removing && { leaving: true }) }
      continue
    }
    // Nothing is remembered, but its directory is here under another name: it was here, and was renamed.
    const renamed = disk.profiles.some((other) => other.dir === startedIn)
    const place = state.places[profile] ?? (renamed && startedIn ? { dir: startedIn, parent: disk.parent } : undefined)
    if (place !== undefined) places[profile] = { ...place, ...(removing && { leaving: true }) }
    if (removing || maybe.has(profile)) continue
    if (disk.parent === null) kept.push(profile)
    // Its former place is unknown (the state was lost), so its absence proves nothing.
    else if (place?.parent !== disk.parent) moved.push(profile)
    else {
      const since = state.goneSinceMs[profile] ?? nowMs
      goneSinceMs[profile] = since
      if (nowMs - since >= CONFIRM_MS) {
        steps.push({ type: 'remove', profile })
        places[profile] = { ...place, leaving: true }
      }
      againAtMs = Math.max(nowMs, Math.min(againAtMs ?? Number.POSITIVE_INFINITY, since + CONFIRM_MS))
    }
  }
  const reports: ReconcileStep[] = []
  if (kept.length > 0) reports.push({ type: 'keep', profiles: kept, reason: 'profiles/ is missing or cannot be read' })
  if (moved.length > 0)
    reports.push({ type: 'keep', profiles: moved, reason: 'profiles/ is not the directory they were seen in' })
  return { steps, reports, places, goneSinceMs, againAtMs }
}

/** Profiles without a slot. */
function planFound(disk: Disk, slots: readonly KnownSlot[], state: ReconcileState, nowMs: number, boot: boolean): Part {
  const known = new Set(slots.map((slot) => slot.profile))
  const names = new Set(disk.profiles.map((profile) => profile.name))
  const users = directoryUsers(disk, slots, state)
  const steps: ReconcileStep[] = []
  const reports: ReconcileStep[] = []
  const places: Places = {}
  let againAtMs: number | undefined
  for (const profile of disk.profiles) {
    const { name, dir, copyOf } = profile
    if (known.has(name)) continue
    const user = users.get(dir)
    if (user !== undefined && !names.has(user)) {
      // `mv a b`: b gets its slot when a's, which still runs in this directory, is gone.
      reports.push({
        type: 'skip',
        name,
        reason: `the gateway of ${user} still runs in its directory; it gets its slot when that has stopped`,
      })
      againAtMs = nowMs + CONFIRM_MS
      continue
    }
    const desired = copyOf === undefined ? profile.desired : undefined
    // Seen before: it had a slot whose file is lost.
    const place = state.places[name]
    const isNew = !boot && (place === undefined || place.leaving === true)
    const start = desired?.wanted === 'running' && user === undefined && !isNew
    const warnings = [...(desired?.warnings ?? [])]
    if (copyOf !== undefined) warnings.push(copyText(name, copyOf))
    if (user !== undefined)
      warnings.push(`the profile ${name} is not started: the gateway of ${user} uses its directory`)
    else if (start) users.set(dir, name)
    steps.push({
      type: 'register',
      profile: name,
      start,
      priorState: desired?.priorState ?? null,
      priorExit: desired?.priorExit ?? 'unknown',
      warnings,
      ...(copyOf !== undefined && { copyOf }),
      ...(profile.formerName !== undefined && copyOf === undefined && { renamed: true }),
      ...(desired?.overruled && desired.wanted && { restate: desired.wanted }),
    })
    places[name] = { dir, parent: disk.parent }
  }
  return { steps, reports, places, againAtMs }
}

const copyText = (name: string, original: string): string =>
  `the profile ${name} is a copy of ${original}, so it is not started and forgets what was wanted of ${original}; ` +
  `start it with: hermes -p ${name} gateway start`

/** Directories that living slots use. */
function directoryUsers(disk: Disk, slots: readonly KnownSlot[], state: ReconcileState): Map<DirId, string> {
  const onDisk = new Map(disk.profiles.map((profile) => [profile.name, profile.dir]))
  const users = new Map<DirId, string>()
  for (const { profile, living, dir } of slots) {
    if (!living) continue
    // Without a report from the slot, it may be in its former directory, or in the one with its current name.
    const candidates = dir === undefined ? [onDisk.get(profile), state.places[profile]?.dir] : [dir]
    for (const candidate of candidates) if (candidate !== undefined) users.set(candidate, profile)
  }
  return users
}

const reportKey = (step: ReconcileStep): string =>
  step.type === 'skip' ? `skip ${step.name} ${step.reason}` : step.type === 'keep' ? `keep ${step.reason}` : step.type
