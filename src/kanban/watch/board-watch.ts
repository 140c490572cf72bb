import { statSync } from 'node:fs'
import { listBoards } from '../store/places.ts'

/** Finds boards that were written since the last check. */
export interface BoardWatch {
  /** @returns slugs; none at the first look. Never rejects */
  look(): Promise<readonly string[]>
}

/** Boards in files: a commit changes the file or its journal. */
export class FileWatch implements BoardWatch {
  readonly #home: string
  #seen: ReadonlyMap<string, string> | undefined

  constructor(home: string) {
    this.#home = home
  }

  async look(): Promise<readonly string[]> {
    const now = new Map(boardsOf(this.#home).map(({ slug, file }) => [slug, `${mark(file)} ${mark(`${file}-wal`)}`]))
    const before = this.#seen
    this.#seen = now
    if (before === undefined) return []
    const gone = [...before.keys()].filter((slug) => !now.has(slug))
    return [...[...now].filter(([slug, signature]) => before.get(slug) !== signature).map(([slug]) => slug), ...gone]
  }
}

/** A file that cannot be examined has a mark too: the board's own requests say what is wrong. */
function mark(file: string): string {
  try {
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat === undefined ? '-' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

function boardsOf(home: string): ReturnType<typeof listBoards> {
  try {
    return listBoards(home)
  } catch {
    return [] // the same: nothing that can be seen has changed
  }
}
