import { closeSync, constants, openSync } from 'node:fs'
import type { Native } from '../../system/native/native.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants

/**
 * The pipes from services to their loggers. init keeps both ends of each, so what was written waits there while
 * either side is started again. They have no name in any directory.
 */
export class Pipes {
  readonly #native: Pick<Native, 'pipe'>
  readonly #held = new Map<string, readonly [read: number, write: number]>()

  constructor(native: Pick<Native, 'pipe'>) {
    this.#native = native
  }

  /** @returns one end for one child, with a separate open file description (see LogFifos.openWriter) */
  open(name: string, end: 'read' | 'write'): number {
    const [read, write] = this.#held.get(name) ?? this.#make(name)
    const flags = end === 'read' ? O_RDONLY : O_WRONLY
    return openSync(`/proc/self/fd/${end === 'read' ? read : write}`, flags | O_NONBLOCK)
  }

  /** The reader sees the end once every writer has gone. */
  close(name: string): void {
    const ends = this.#held.get(name)
    this.#held.delete(name)
    for (const fd of ends ?? []) closeSync(fd)
  }

  #make(name: string): readonly [number, number] {
    const ends = this.#native.pipe({ nonblockingRead: true })
    this.#held.set(name, ends)
    return ends
  }
}
