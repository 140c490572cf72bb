import { type Dirent, lstatSync, mkdirSync, opendirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * The entries of a directory one by one, in no order. A list of them all takes 400 bytes each, so a directory that
 * others can fill would decide how much memory we have.
 * @throws the error of the file system
 */
export function* directoryEntries(path: string): Generator<Dirent> {
  const dir = opendirSync(path)
  try {
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) yield entry
  } finally {
    dir.closeSync()
  }
}

/**
 * Creates a directory and its missing parents. Node's own `recursive` never returns below a link into /proc, which
 * answers ENOENT to a creation: Node then creates the parent, which exists, and starts over.
 * @param mode of each created directory
 * @returns whether it was created
 * @throws the error of the file system
 */
export function makeDirectory(path: string, mode = 0o777): boolean {
  try {
    return madeOne(path, mode)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    makeDirectory(parent, mode)
    return madeOne(path, mode)
  }
}

function madeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (isThere && statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
    throw error
  }
}

/** The first of many by an order, without holding the others. `more` counts those that were left out. */
export class FirstInOrder<T> {
  readonly #size: number
  readonly #before: (a: T, b: T) => boolean
  readonly first: T[] = []
  more = 0

  constructor(size: number, before: (a: T, b: T) => boolean) {
    this.#size = size
    this.#before = before
  }

  add(one: T): void {
    if (this.first.length === this.#size) {
      this.more++
      if (!this.#before(one, this.first[this.#size - 1] as T)) return
      this.first.pop()
    }
    const place = this.first.findLastIndex((other) => this.#before(other, one)) + 1
    this.first.splice(place, 0, one)
  }
}

/** Also true for a link that leads nowhere. @throws the error of the file system, where it cannot be known */
export const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
