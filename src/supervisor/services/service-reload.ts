import type { ReloadResult } from '../../protocol/control.ts'
import type { ToInit, ToSupervisor } from '../../protocol/init.ts'
import { planReload } from '../../services/reload.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { ServiceSlots } from './image-services.ts'
import { readServiceRules } from './rules.ts'

export interface ServiceReloadOptions {
  /** The definitions in force, as init has written them. */
  readonly file: string
  readonly services: Pick<ServiceSlots, 'image' | 'isReloading' | 'prepareReload' | 'endReload' | 'whenReloaded'>
  readonly clock: Clock
  readonly send: (message: ToInit) => void
}

type Answer = Extract<ToSupervisor, { type: 'services-read' | 'services-applied' }>

/**
 * Takes over the definitions of services as they are now, by difference. init reads them as root and takes them in one
 * step; until then nothing has changed. The supervisor decides what follows from the difference.
 */
export class ServiceReload {
  readonly #options: ServiceReloadOptions
  #isBusy = false
  #request: number
  #answered: PromiseWithResolvers<Answer> | undefined

  constructor(options: ServiceReloadOptions) {
    this.#options = options
    // init may still answer a request of an earlier supervisor.
    this.#request = process.pid * 1_000_000
  }

  answer(answer: Answer): void {
    if (answer.request === this.#request) this.#answered?.resolve(answer)
  }

  /**
   * Resolves when everything that was removed or changed has ended.
   * @throws HermesError REFUSED with the first problems of the definitions; TIMED_OUT: it goes on
   */
  async run(dryRun: boolean, timeoutMs: number): Promise<ReloadResult> {
    const { services } = this.#options
    if (this.#isBusy || services.isReloading)
      throw refused('another reload is still at work', 'hermes service list shows what it waits for')
    this.#isBusy = true
    try {
      return await this.#run(dryRun, timeoutMs)
    } finally {
      this.#isBusy = false
    }
  }

  async #run(dryRun: boolean, timeoutMs: number): Promise<ReloadResult> {
    const { services, file, clock } = this.#options
    this.#request += 1
    if (!(await inTime(clock, timeoutMs, this.#ask('read-services'))))
      throw new HermesError('TIMED_OUT', 'the services were not read in time', { next: 'repeat the command' })
    const next = readServiceRules(`${file}.next`)
    if (next.problems.length > 0)
      throw refused(
        `nothing was reloaded: ${problemsText(next.problems)}`,
        'hermes service reload --dry-run checks them again',
      )
    const plan = planReload(services.image.rules, next.rules, new Set(next.differing))
    const isSame = plan.added.length + plan.removed.length + plan.changed.length === 0
    if (dryRun || isSame) return { dryRun, ...plan }
    services.prepareReload(plan, next)
    try {
      // Without a limit: it is done at once, and a late answer must not be missed.
      await this.#ask('apply-services')
    } catch (error) {
      services.endReload(false)
      throw error
    }
    services.endReload(true)
    if (!(await inTime(clock, timeoutMs, services.whenReloaded())))
      throw new HermesError('TIMED_OUT', 'the new definitions are in force, but some services have not ended yet', {
        next: 'hermes service list shows them; the reload goes on',
      })
    return { dryRun, ...plan }
  }

  async #ask(type: 'read-services' | 'apply-services'): Promise<void> {
    const answered = Promise.withResolvers<Answer>()
    this.#answered = answered
    this.#options.send({ type, request: this.#request })
    const { problem } = await answered.promise
    if (problem !== undefined) throw refused(`nothing was reloaded: ${problem}`, 'see hermes logs supervisor')
  }
}

/** More of them would not help. */
const MAX_NAMED = 10
function problemsText(problems: readonly string[]): string {
  const more = problems.length - MAX_NAMED
  return [...problems.slice(0, MAX_NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

const refused = (message: string, next: string): HermesError => new HermesError('REFUSED', message, { next })
