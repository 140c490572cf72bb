import type { Journal } from '../../log/io/journal.ts'
import { moveRemainders, remainderText } from '../../profile/directory/remainders.ts'
import { closeSecretFiles, closeToOthers } from '../../profile/environment/secret-files.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import { renameIdentity } from '../../profile/state/gateway-state.ts'
import { writeDesired } from '../../profile/state/state.ts'
import type { Warning } from '../../protocol/control.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { below, gatewaySlot, homePaths, profileDir, profileOfSlot } from '../../system/paths.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'
import { appendBootLog, bootLines, removeCopiedFiles, removeStaleFiles } from './boot-log.ts'
import { observeDisk, parseState } from './disk-observer.ts'
import { LimitedLog } from './limited-log.ts'
import { emptyState, MAX_NAMED, planReconcile, type ReconcileState, type ReconcileStep } from './plan.ts'

export interface ProfileSlotsOptions {
  readonly home: string
  readonly table: SlotTable
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly clock: Clock
  readonly journal: Journal
  /** HERMES_GATEWAY_BOOTSTRAP_STATE */
  readonly bootstrap: string | undefined
  /** Its files are another user's. */
  readonly isWalled: (profile: string) => boolean
  /** The container has ids for walls, so the directories of the others are closed. */
  readonly hasWalls: boolean
  /** The profile whose gateway is the main program: its slot is registered and stays down. */
  readonly heldByMain: string | undefined
  /** A second look is due; it may turn out that the volume is no longer ours. */
  readonly again: () => void
}

/** Keeps the slots in step with the profiles on disk: observes, has it planned, applies. */
export class ProfileSlots {
  readonly #options: ProfileSlotsOptions
  readonly #stateFiles: LimitedLog
  #state = emptyState
  #saved = ''
  #again: Cancel | undefined
  #skipped: readonly Warning[] = []
  #closed = false

  constructor(options: ProfileSlotsOptions) {
    this.#options = options
    this.#stateFiles = new LimitedLog('state files of profiles', options.clock, options.journal.warn)
  }

  /** Restores what an earlier supervisor has kept, before the first look. */
  restore(text: string): void {
    this.#state = parseState(text)
  }

  /** The first time of a container's life: what is left of earlier processes goes, and the boot log gets its lines. */
  boot(): readonly string[] {
    const { home, clock, journal, heldByMain } = this.#options
    const steps = this.#plan(true)
    for (const step of steps) {
      if (step.type !== 'register') continue
      const { profile } = step
      for (const problem of removeStaleFiles(profileDir(home, profile), profile, profile === heldByMain))
        this.#stateFiles.log(problem)
    }
    const lines = this.#apply(steps)
    this.#stateFiles.count()
    const interrupted = this.#interruptedMoves()
    try {
      appendBootLog(homePaths(home).bootLog, bootLines([...steps, ...interrupted], clock.wallMs()))
    } catch (error) {
      journal.warn(`cannot write ${homePaths(home).bootLog}: ${(error as Error).message}`)
    }
    return lines
  }

  /** No command that moves a profile outlives the container. */
  #interruptedMoves(): readonly ReconcileStep[] {
    return moveRemainders(this.#options.home).map((remainder) => {
      const { text, next } = remainderText(remainder)
      this.#options.journal.warn(`profile "${remainder.name}": ${text}; next: ${next}`)
      return { type: 'skip', name: remainder.name, reason: `${text}; next: ${next}` }
    })
  }

  /** @returns one line per step that was applied; [] when there is nothing to do */
  reconcile(): readonly string[] {
    return this.#closed ? [] : this.#apply(this.#plan())
  }

  /** Entries of `profiles/` that are not profiles. */
  get warnings(): readonly Warning[] {
    return this.#skipped
  }

  close(): void {
    this.#closed = true
    this.#again?.()
  }

  #plan(boot = false): readonly ReconcileStep[] {
    const { home, table, clock, bootstrap, heldByMain, again } = this.#options
    const slots = table.entries().flatMap(({ key, slot, removing, startedIn }) => {
      const profile = profileOfSlot(key)
      if (profile === undefined) return []
      const living = slot.state !== 'down' && slot.state !== 'parked'
      return [{ profile, living, removing, ...(living && startedIn !== undefined && { dir: startedIn }) }]
    })
    const disk = observeDisk(home, new Set(slots.map(({ profile }) => profile)), bootstrap)
    const dir = homePaths(home).profiles
    this.#skipped = [
      ...disk.problems.map(({ name, reason }): Warning => {
        return { code: 'NOT_A_PROFILE', profile: name, text: `${below(dir, name)} is skipped: ${reason}` }
      }),
      ...(disk.moreProblems === 0
        ? []
        : [{ code: 'MORE', text: `${dir}: ${moreSkipped(disk.moreProblems)}` } as const]),
    ]
    const { steps, state, againAtMs } = planReconcile(disk, slots, this.#state, clock.nowMs(), boot)
    this.#remember(state)
    this.#again?.()
    this.#again = againAtMs === undefined ? undefined : clock.at(againAtMs, again)
    return steps.map((step) =>
      step.type === 'register' && step.profile === heldByMain ? { ...step, start: false } : step,
    )
  }

  #remember(state: ReconcileState): void {
    this.#state = state
    const text = JSON.stringify(state)
    if (text === this.#saved) return
    this.#options.stateStore.keep('.reconcile', text)
    this.#saved = text
  }

  #apply(steps: readonly ReconcileStep[]): readonly string[] {
    return steps.map((step) => {
      try {
        return this.#applyOne(step)
      } catch (error) {
        // One bad profile never stops the rest.
        const name = 'profile' in step ? step.profile : step.type
        const text = `${name} is skipped: ${(error as Error).message}`
        this.#options.journal.error(text)
        return text
      }
    })
  }

  /**
   * Prepares the profile's files for the slot: files of a copy are removed, and a new name and a later command are
   * recorded.
   */
  #settleFiles({ profile, copyOf, renamed, restate }: Extract<ReconcileStep, { type: 'register' }>): void {
    const dir = profileDir(this.#options.home, profile)
    try {
      if (copyOf !== undefined) for (const problem of removeCopiedFiles(dir)) this.#stateFiles.log(problem)
      if (renamed) renameIdentity(dir, profile)
      if (restate !== undefined) writeDesired(dir, restate)
    } catch (error) {
      this.#stateFiles.log(`the state files in ${dir} cannot be written: ${(error as Error).message}`)
    }
  }

  #close(profile: string): void {
    const { home, isWalled, hasWalls } = this.#options
    if (isWalled(profile)) return
    const dir = profileDir(home, profile)
    for (const line of closeSecretFiles(dir)) this.#stateFiles.log(line)
    const problem = hasWalls && profile !== DEFAULT_PROFILE ? closeToOthers(dir) : undefined
    if (problem !== undefined) this.#stateFiles.log(problem)
  }

  #applyOne(step: ReconcileStep): string {
    const { table, journal, home } = this.#options
    switch (step.type) {
      case 'register': {
        const key = gatewaySlot(step.profile)
        for (const warning of step.warnings) this.#stateFiles.log(warning)
        this.#settleFiles(step)
        this.#close(step.profile)
        table.register(key, step.start)
        return `${key}: ${step.start ? 'started' : 'registered, down'}`
      }
      case 'remove': {
        const key = gatewaySlot(step.profile)
        journal.info(`${key} is removed: ${profileDir(home, step.profile)} is gone`)
        table.remove(key)
        return `${key}: removed, its directory is gone`
      }
      case 'skip': {
        const text = `${below(homePaths(home).profiles, step.name)} is skipped: ${step.reason}`
        journal.warn(text)
        return text
      }
      case 'skip-more': {
        const text = `${homePaths(home).profiles}: ${moreSkipped(step.count)}`
        journal.warn(text)
        return text
      }
      case 'keep': {
        const text = `the slots of ${firstNames(step.profiles)} stay: ${step.reason}`
        journal.warn(text)
        return text
      }
    }
  }
}

const moreSkipped = (count: number): string =>
  `${count} more ${count === 1 ? 'entry is' : 'entries are'} skipped; move away what is not a profile`

function firstNames(names: readonly string[]): string {
  const more = names.length - MAX_NAMED
  return names.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
