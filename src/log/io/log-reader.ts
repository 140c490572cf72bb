import { type Clock, pause } from '../../system/clock.ts'
import { type HistoryQuery, type LogSource, SourceReader } from '../history/log-source.ts'
import { type LogLine, mergeByTime } from '../line.ts'

/**
 * Followers look so often. Looking works on every file system; events do not come from network mounts or run out of
 * watches.
 */
const LOOK_MS = 200

/** Reads the logs of one or more slots for people: history first, then what comes, merged by time. */
export class LogReader {
  readonly #sources: readonly SourceReader[]

  constructor(sources: readonly LogSource[]) {
    this.#sources = sources.map((source) => new SourceReader(source))
  }

  /**
   * Lines written so far, oldest first. With `lines`, the last so many of all slots together; without, they are read as
   * they are asked for, so that archives of any size never lie in memory.
   */
  *history(query: HistoryQuery): Generator<LogLine> {
    if (query.lines === 0) {
      for (const source of this.#sources) source.start()
      return
    }
    const merged = mergeByTime(this.#sources.map((source) => source.history(query)))
    yield* query.lines === undefined ? merged : [...merged].slice(-query.lines)
  }

  /**
   * Lines written since the history was read (if it was not: from now on), in batches. A log that is rotated, emptied,
   * removed or not there yet is waited for.
   * @param wanted asked before each look; false ends it
   */
  async *follow(clock: Clock, wanted: () => boolean): AsyncGenerator<readonly LogLine[]> {
    while (wanted()) {
      const lines = [...mergeByTime(this.#sources.map((source) => source.newLines()))]
      if (lines.length > 0) yield lines
      else await pause(clock, LOOK_MS)
    }
  }

  close(): void {
    for (const source of this.#sources) source.close()
  }
}
