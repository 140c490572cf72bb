import { readlinkSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { serviceSlot } from '../../services/definition.ts'
import { hasCode } from '../../system/error-code.ts'

/** s6's tools know services by their own names: /run/service/nginx. */
export class ServiceLinks {
  readonly #scanDir: string
  readonly #warn: (text: string) => void

  constructor(scanDir: string, warn: (text: string) => void) {
    this.#scanDir = scanDir
    this.#warn = warn
  }

  add(name: string): void {
    this.#attempt(name, 'EEXIST', () => symlinkSync(serviceSlot(name), join(this.#scanDir, name)))
  }

  remove(name: string): void {
    const path = join(this.#scanDir, name)
    // EINVAL: it is the directory of a slot with this name.
    this.#attempt(name, 'EINVAL', () => readlinkSync(path) === serviceSlot(name) && unlinkSync(path))
  }

  #attempt(name: string, expected: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!hasCode(error, expected)) this.#warn(`${join(this.#scanDir, name)}: ${(error as Error).message}`)
    }
  }
}
