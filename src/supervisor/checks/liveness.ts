import type { Liveness, Probe } from '../../profile/config/program-kinds.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { spanText } from '../../system/text/span.ts'
import { checkProblem } from './check.ts'

export interface LivenessOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel: Kernel
  /** It does not live, for this reason. Called at most once. */
  readonly condemn: (why: string) => void
}

export interface LivenessWatch {
  /** It has printed whole lines. */
  printed(): void
  close(): void
}

/** Asks a running process whether it lives, and listens whether it prints. */
export function watchLiveness({ probe, silenceMs }: Liveness, options: LivenessOptions): LivenessWatch {
  const asking = probe === undefined ? undefined : ask(probe, options)
  const listening = silenceMs === undefined ? undefined : listen(silenceMs, options)
  return {
    printed() {
      listening?.printed()
    },
    close() {
      asking?.()
      listening?.close()
    },
  }
}

function ask({ check, everyMs, timeoutMs, failures }: Probe, { clock, kernel, condemn }: LivenessOptions): Cancel {
  const asking = new AbortController()
  let failed = 0
  let cancel: Cancel
  const later = (): void => {
    cancel = clock.at(clock.nowMs() + everyMs, () => {
      void checkProblem(check, timeoutMs, clock, asking.signal, kernel).then((problem) => {
        if (asking.signal.aborted) return
        failed = problem === undefined ? 0 : failed + 1
        if (failed >= failures)
          condemn(`does not answer${failures === 1 ? '' : `, ${failures} times in a row`}: ${problem}`)
        else later()
      })
    })
  }
  later()
  return () => {
    cancel()
    asking.abort()
  }
}

/** After a stall of this process, lines may still wait to be read: so long they have to arrive. */
const UNREAD_MS = 1_000

/** One alarm for each span of silence, however many lines come. */
function listen(silenceMs: number, { clock, condemn }: LivenessOptions): LivenessWatch {
  let lastMs = clock.nowMs()
  let cancel: Cancel
  const wait = (): void => {
    const heardMs = lastMs
    const judge = (): void => (lastMs === heardMs ? condemn(`has printed no line for ${spanText(silenceMs)}`) : wait())
    cancel = clock.at(heardMs + silenceMs, () => {
      if (lastMs !== heardMs) wait()
      else cancel = clock.at(clock.nowMs() + UNREAD_MS, judge)
    })
  }
  wait()
  return {
    printed() {
      lastMs = clock.nowMs()
    },
    close: () => cancel(),
  }
}
