import type { ToInit } from '../../protocol/init.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { ServiceDirs } from '../s6/slot-dir.ts'
import type { StoredSlot } from './store.ts'

/** What a start needs to know of a slot. */
type Startable = Pick<Required<StoredSlot>, 'slot' | 'launch' | 'normallyUp'> &
  Pick<StoredSlot, 'job'> & { readonly key: string }

export interface SlotStartsOptions {
  readonly launcher: Pick<Launcher, 'isInits' | 'script' | 'finishScript'>
  readonly dirs: Pick<ServiceDirs, 'ensure' | 'writeRun'>
  readonly send: (message: ToInit) => void
}

/** For `notification-fd` of a slot that says otherwise that it is ready: the file's presence is what makes `s6-svc -wU` wait for it. */
const ANNOUNCED_OTHERWISE = 0

/** What a start takes: the slot's directory as its rules say, the script in it, and a word to init. */
export class SlotStarts {
  readonly #o: SlotStartsOptions

  constructor(options: SlotStartsOptions) {
    this.#o = options
  }

  /** Brings the slot's directory up to date with its rules and the word that is kept. */
  prepare({ key, launch, normallyUp }: Startable): void {
    const { policy, readiness } = launch
    // A oneshot is no longrun: s6's tools would take it for one that is down.
    if (policy.kind === 'oneshot') return
    this.#o.dirs.ensure(key, {
      normallyUp,
      stopSignal: policy.stopSignal,
      stopTimeoutMs: policy.stopTimeoutMs,
      notificationFd: readiness.by === 'fd' ? readiness.fd : readiness.by === 'alive' ? null : ANNOUNCED_OTHERWISE,
    })
  }

  /** @throws the error of the file system, or RangeError for a word that no shell can be told; init is not asked then */
  ask(slot: Startable, request: number, program: 'run' | 'finish'): void {
    const { key, launch } = slot
    this.prepare(slot)
    this.#writeScript(slot, program)
    this.#o.send({
      type: 'spawn',
      request,
      slot: key,
      stopSignal: launch.policy.stopSignal,
      stopTimeoutMs:
        (program === 'finish' ? launch.policy.finish?.timeoutMs : undefined) ?? launch.policy.stopTimeoutMs,
      notificationFd: program === 'run' && launch.readiness.by === 'fd' ? launch.readiness.fd : null,
      killLeftovers: launch.killLeftovers,
      ...(program === 'finish' && { program }),
    })
  }

  #writeScript({ key, job, slot }: Startable, program: 'run' | 'finish'): void {
    const { launcher, dirs } = this.#o
    if (launcher.isInits(key, program)) return
    dirs.writeRun(key, program === 'run' ? launcher.script(key, job) : launcher.finishScript(key, slot.lastEnding))
  }
}
