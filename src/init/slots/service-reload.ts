import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ToSupervisor } from '../../protocol/init.ts'
import type { ServiceTable } from '../../services/table.ts'
import { readServiceTable, type ServicesBootOptions } from '../boot/services-boot.ts'
import type { ServicePrograms } from './service-programs.ts'

export interface ServiceReloadOptions {
  readonly services: Pick<ServicePrograms, 'differing' | 'replace'>
  readonly boot: () => ServicesBootOptions
  readonly send: (message: ToSupervisor) => void
  /** Why services cannot be read, or replaced, now; undefined: they can. */
  readonly obstacle: () => string | undefined
}

/**
 * Reads the definitions again while the container runs, and takes them when the supervisor says so. Everything
 * that runs comes from root's files alone: the supervisor decides when. A table with a problem is never taken.
 */
export class ServiceReload {
  readonly #options: ServiceReloadOptions
  /** Of the definitions in force: 0 are those of the boot. */
  #generation = 0
  #read: { readonly request: number; readonly table: ServiceTable } | undefined
  #asked: number | undefined
  #isReading = false

  constructor(options: ServiceReloadOptions) {
    this.#options = options
  }

  /** One reader at a time; of several requests, the last one is answered. */
  async read(request: number): Promise<void> {
    this.#asked = request
    if (this.#isReading) return
    this.#isReading = true
    while (this.#asked !== undefined) {
      const asked: number = this.#asked
      this.#asked = undefined
      const problem = await this.#readTable(asked)
      this.#options.send({ type: 'services-read', request: asked, ...(problem !== undefined && { problem }) })
    }
    this.#isReading = false
  }

  /** Takes what was read for this request. Without a turn of the loop in between: it is done, or it is not. */
  apply(request: number): void {
    const problem = this.#options.obstacle() ?? this.#take(request)
    this.#options.send({ type: 'services-applied', request, ...(problem !== undefined && { problem }) })
  }

  async #readTable(request: number): Promise<string | undefined> {
    this.#read = undefined
    const obstacle = this.#options.obstacle()
    if (obstacle !== undefined) return obstacle
    const { services } = this.#options
    const boot = this.#options.boot()
    const table = await readServiceTable(boot)
    if (typeof table === 'string') return `the services cannot be read: ${table}`
    const { rules, problems } = table
    const differing = services.differing(table)
    try {
      const file = nextFile(boot)
      rmSync(file, { force: true })
      const text = JSON.stringify({ generation: this.#generation + 1, rules, problems, differing })
      writeFileSync(file, text, { mode: 0o644, flag: 'wx' })
    } catch (error) {
      return (error as Error).message
    }
    if (problems.length === 0) this.#read = { request, table }
    return undefined
  }

  #take(request: number): string | undefined {
    if (this.#read?.request !== request) return 'the services were not read before'
    const boot = this.#options.boot()
    try {
      renameSync(nextFile(boot), boot.paths.services)
    } catch (error) {
      return (error as Error).message
    }
    this.#options.services.replace(this.#read.table)
    this.#generation += 1
    this.#read = undefined
    return undefined
  }
}

const nextFile = ({ paths }: ServicesBootOptions): string => `${paths.services}.next`
