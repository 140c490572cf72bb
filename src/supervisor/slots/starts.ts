import type { ToInit } from '../../protocol/init.ts'
import type { Readiness } from '../launch/launch.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { SlotDirs } from '../s6/slot-dir.ts'
import type { StoredSlot } from './store.ts'

/** The facts about a slot that a start needs. */
type Startable = Pick<Required<StoredSlot>, 'slot' | 'launch' | 'normallyUp'> &
  Pick<StoredSlot, 'job'> & { readonly key: string }

export interface SlotStartsOptions {
  readonly launcher: Pick<Launcher, 'isOfInit' | 'script' | 'finishScript' | 'isWalled'>
  readonly dirs: Pick<SlotDirs, 'ensure' | 'openNow' | 'writeRun'>
  readonly send: (message: ToInit) => void
}

/**
 * `notification-fd` of a slot that announces readiness by other means: the file's presence makes `s6-svc -wU` wait
 * for it.
 */
const ANNOUNCED_OTHERWISE = 0

const isAlive = ({ by }: Readiness): boolean => by === 'alive' || by === 'fetched'

/** The steps of a start: the slot's directory according to its policy, the script in it, and a request to init. */
export class SlotStarts {
  readonly #options: SlotStartsOptions

  constructor(options: SlotStartsOptions) {
    this.#options = options
  }

  /** Updates the slot's directory from its policy and its stored desired state. */
  prepare({ key, launch, normallyUp }: Startable): void {
    const { policy, readiness } = launch
    // A oneshot is not a longrun: s6's tools would show it as a service that is down.
    if (policy.kind === 'oneshot') return
    this.#options.dirs.ensure(key, {
      normallyUp,
      stopSignal: policy.stopSignal,
      stopTimeoutMs: policy.stopTimeoutMs,
      notificationFd: readiness.by === 'fd' ? readiness.fd : isAlive(readiness) ? null : ANNOUNCED_OTHERWISE,
    })
  }

  /**
   * @throws the error of the file system, or RangeError for an argument that cannot be passed to a shell; init is then
   * not asked
   */
  ask(slot: Startable, request: number, program: 'run' | 'finish'): void {
    const { key, launch } = slot
    this.prepare(slot)
    this.#options.dirs.openNow(key)
    this.#writeScript(slot, program)
    this.#options.send({
      type: 'spawn',
      request,
      slot: key,
      stopSignal: launch.policy.stopSignal,
      stopTimeoutMs:
        (program === 'finish' ? launch.policy.finish?.timeoutMs : undefined) ?? launch.policy.stopTimeoutMs,
      notificationFd: program === 'run' && launch.readiness.by === 'fd' ? launch.readiness.fd : null,
      killLeftovers: launch.killLeftovers,
      ...(program === 'finish' && { program }),
      ...(this.#options.launcher.isWalled(key) && { walled: true }),
    })
  }

  #writeScript({ key, job, slot }: Startable, program: 'run' | 'finish'): void {
    const { launcher, dirs } = this.#options
    if (launcher.isOfInit(key, program)) return
    dirs.writeRun(key, program === 'run' ? launcher.script(key, job) : launcher.finishScript(key, slot.lastEnding))
  }
}
