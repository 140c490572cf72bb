/**
 * The supervisor's half of the volume's life: what is done with the volume while the lease is ours, and what when it is
 * not. docs/volume-life.md is the page of this machine. Pure.
 *
 *   booting   `begin` has not come yet
 *   waiting   the lease is not ours: no slot that uses the volume is started
 *   filling   begun; a new volume gets its first files
 *   running   slots are started
 *   stopping  the container stops; the last slot is not empty yet
 *   closing   every slot is empty; the logs are being written out
 *   drained   init was sent `drained`
 *   orphaned  init is gone: the supervisor stops the slots itself, and ends
 */
import type { LeaseState } from '../protocol/init.ts'

export interface VolumeLife {
  readonly at: 'booting' | 'waiting' | 'filling' | 'running' | 'stopping' | 'closing' | 'drained' | 'orphaned'
  readonly lease: LeaseState
  /** The counter is ours; means something only where there are no locks. */
  readonly counted: boolean
  /**
   * What this container has done with the volume so far, this supervisor or one before it. `no`: it was never booted
   * on. `yes`: its slots may run. `lost`: the lease went, so they are stopped, or were still to be stopped when a
   * supervisor died.
   */
  readonly booted: 'no' | 'yes' | 'lost'
  /** This supervisor has opened the volume: its slots are registered, its watches set. */
  readonly opened: boolean
  /** The first files are being written, whatever `at` is by now. */
  readonly fills: boolean
}

export type LifeEvent =
  /** Kept by an earlier supervisor of this container. */
  | { readonly type: 'restored'; readonly booted: 'yes' | 'lost' }
  /** From init: the result of locking. */
  | { readonly type: 'lease'; readonly state: LeaseState }
  /** The result of counting. */
  | { readonly type: 'counted'; readonly state: 'taken' | 'lost' }
  /** init: the lease is ours, the volume can be written and the hooks are done. */
  | { readonly type: 'begin' }
  /** Answer to `fill`. */
  | { readonly type: 'filled' }
  /** init: the container stops. */
  | { readonly type: 'stop' }
  /** No slot has a process any more. */
  | { readonly type: 'emptied' }
  /** Answer to `close`. */
  | { readonly type: 'closed' }
  | { readonly type: 'init-gone' }

export type LifeEffect =
  /** Write into run.lease who we are. `quietly`: it is tried again, so a failure is not reported. */
  | { readonly type: 'sign'; readonly quietly: boolean }
  /** Begin to count in run.lease. */
  | { readonly type: 'count' }
  | { readonly type: 'warn-busy' }
  /** To init. */
  | { readonly type: 'report'; readonly state: 'taken' | 'lost' }
  /** Write the first files of a new volume. */
  | { readonly type: 'fill' }
  /**
   * Register what is on the disk and watch it. `first`: for the first time in this container, so this is its boot, with
   * a boot log.
   */
  | { readonly type: 'open'; readonly first: boolean }
  /** Start what is wanted and was stopped when the lease went. */
  | { readonly type: 'resume' }
  /** The boot has come as far as it can: clients and the main program need not wait for it. */
  | { readonly type: 'answer' }
  /** Do the work that is done once in a container, when its boot is over. */
  | { readonly type: 'settle' }
  /** Let the next supervisor know. */
  | { readonly type: 'keep'; readonly booted: 'yes' | 'lost' }
  /** Stop what uses the volume. */
  | { readonly type: 'stop-slots' }
  /** Write no state files: the volume is another container's. */
  | { readonly type: 'hold' }
  /** Write down what stops, start nothing any more. */
  | { readonly type: 'halt' }
  /** Write out the state files and the logs. */
  | { readonly type: 'close' }
  /** Remove our text from run.lease, if it is ours: the next container can have the volume at once. */
  | { readonly type: 'release' }
  /** To init: everything is in its files. */
  | { readonly type: 'drained' }
  /** Stop the slots without init, write out the logs, end. `expected`: init had announced its stop. */
  | { readonly type: 'end-alone'; readonly expected: boolean }

export type LifeStep = readonly [VolumeLife, ...LifeEffect[]]

export const newLife: VolumeLife = {
  at: 'booting',
  lease: 'held',
  counted: false,
  booted: 'no',
  opened: false,
  fills: false,
}

/**
 * The volume is ours as far as we know: the lock is held, or the container needs none, or our counter is in the file.
 */
export const isOurs = ({ lease, counted }: VolumeLife): boolean =>
  lease === 'unsupported' ? counted : lease !== 'busy'

/** The container stops, or has stopped. */
export const isEnding = ({ at }: VolumeLife): boolean =>
  at === 'stopping' || at === 'closing' || at === 'drained' || at === 'orphaned'

/** @returns the life after the event, and the effects in the order in which they must be performed */
export function stepLife(life: VolumeLife, event: LifeEvent): LifeStep {
  switch (event.type) {
    case 'restored':
      return [{ ...life, booted: event.booted }]
    case 'lease':
      return leaseIs(life, event.state)
    case 'counted':
      return counted(life, event.state)
    case 'begin':
      return begin(life)
    case 'filled': {
      const next = { ...life, fills: false }
      return life.at === 'filling' ? open(next) : [next]
    }
    case 'stop':
      return isEnding(life) ? [life] : [{ ...life, at: 'stopping' }, { type: 'answer' }, { type: 'halt' }]
    case 'emptied':
      return life.at === 'stopping' ? [{ ...life, at: 'closing' }, { type: 'close' }] : [life]
    case 'closed':
      if (life.at !== 'closing') return [life]
      return [
        { ...life, at: 'drained' },
        ...(life.lease === 'none' ? [] : [{ type: 'release' } as const]),
        { type: 'drained' },
      ]
    case 'init-gone':
      if (life.at === 'orphaned') return [life]
      return [{ ...life, at: 'orphaned' }, { type: 'answer' }, { type: 'end-alone', expected: isEnding(life) }]
  }
}

function leaseIs(life: VolumeLife, lease: LeaseState): LifeStep {
  const next: VolumeLife = { ...life, lease, counted: false }
  if (isEnding(life)) return lease === 'busy' ? [next, { type: 'hold' }] : [next]
  switch (lease) {
    case 'held':
      // The volume may still be another's to write; init repairs it before it sends `begin`, which signs again.
      return [awaited(next), { type: 'sign', quietly: !life.opened && life.at !== 'filling' }]
    case 'none':
      return [awaited(next)]
    case 'unsupported':
      return [{ ...next, at: 'waiting' }, { type: 'answer' }, { type: 'count' }]
    case 'busy':
      return lose(next, { type: 'warn-busy' })
  }
}

/** init sends `begin` when the volume can be used. Until then a boot goes on, and slots that were stopped stay so. */
const awaited = (life: VolumeLife): VolumeLife =>
  life.at === 'waiting' && !life.opened ? { ...life, at: 'booting' } : life

function counted(life: VolumeLife, state: 'taken' | 'lost'): LifeStep {
  if (life.lease !== 'unsupported') return [life]
  const next: VolumeLife = { ...life, counted: state === 'taken' }
  const report: LifeEffect = { type: 'report', state }
  if (state === 'taken') return [next, report]
  return isEnding(life) ? [next, report, { type: 'hold' }] : lose(next, report)
}

/** The lease is not ours. Slots that use the volume stop, no matter which supervisor of this container started them. */
function lose(life: VolumeLife, ...effects: readonly LifeEffect[]): LifeStep {
  const hasRun = life.booted === 'yes'
  return [
    { ...life, at: 'waiting', ...(hasRun && { booted: 'lost' as const }) },
    { type: 'answer' },
    ...effects,
    // Kept before the first slot stops: a supervisor that dies in between is followed by one that knows what to resume,
    // even if it finds the lease ours again and never learns that it was lost.
    ...(hasRun ? [{ type: 'keep', booted: 'lost' } as const] : []),
    { type: 'stop-slots' },
  ]
}

function begin(life: VolumeLife): LifeStep {
  // Not ours: the lease was lost after init sent this, and init sends it again once the lease is ours.
  if (isEnding(life) || life.at === 'filling' || life.at === 'running' || !isOurs(life)) return [life]
  if (life.opened) return resume({ ...life, at: 'running' })
  const sign: readonly LifeEffect[] = life.lease === 'held' ? [{ type: 'sign', quietly: false }] : []
  if (life.booted === 'no')
    return [{ ...life, at: 'filling', fills: true }, ...sign, ...(life.fills ? [] : [{ type: 'fill' } as const])]
  const [next, ...effects] = open(life)
  return [next, ...sign, ...effects]
}

function open(life: VolumeLife): LifeStep {
  const opened: VolumeLife = { ...life, at: 'running', opened: true }
  // The answer comes after the slots: a client that has waited for the end of the boot finds them.
  if (life.booted !== 'no') {
    const [next, ...effects] = resume(opened)
    return [next, { type: 'open', first: false }, ...effects, { type: 'answer' }]
  }
  return [
    { ...opened, booted: 'yes' },
    { type: 'open', first: true },
    { type: 'answer' },
    { type: 'settle' },
    // Last: if this supervisor dies before, the next one boots once more.
    { type: 'keep', booted: 'yes' },
  ]
}

const resume = (life: VolumeLife): LifeStep =>
  life.booted === 'lost' ? [{ ...life, booted: 'yes' }, { type: 'resume' }, { type: 'keep', booted: 'yes' }] : [life]
