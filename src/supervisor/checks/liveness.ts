import type { Liveness, Probe } from '../../profile/config/kinds/program-kinds.ts'
import type { Health } from '../../protocol/control.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { elapsedText, spanText } from '../../system/text/span.ts'
import { checkProblem } from './check.ts'

export interface LivenessOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel: Kernel
  /** It does not live, for this reason. Called at most once. */
  readonly condemn: (why: string) => void
}

/** Evidence for whether a process works. */
export interface HealthReport {
  readonly health: Health
  readonly evidence: string[]
}

export interface LivenessWatch {
  /** It has printed whole lines. */
  printed(): void
  report(): HealthReport
  close(): void
}

/** Asks a running process whether it lives, and listens whether it prints. */
export function watchLiveness({ probe, silenceMs }: Liveness, options: LivenessOptions): LivenessWatch {
  const asking = probe === undefined ? undefined : ask(probe, options)
  const listening = silenceMs === undefined ? undefined : listen(silenceMs, options)
  const watches = [asking, listening].filter((one) => one !== undefined)
  return {
    printed() {
      listening?.printed()
    },
    report() {
      return worstOf(watches.map((one) => one.report()))
    },
    close() {
      for (const one of watches) one.close()
    },
  }
}

const WORST_FIRST: readonly Health[] = ['stuck', 'quiet']

/** Beside an observation that something is wrong, those that all is well would confuse. */
export function worstOf(reports: readonly HealthReport[]): HealthReport {
  const health = WORST_FIRST.find((one) => reports.some((report) => report.health === one)) ?? 'ok'
  const telling = reports.filter((report) => report.health === health)
  return { health, evidence: telling.flatMap(({ evidence }) => evidence) }
}

type Watch = Pick<LivenessWatch, 'report' | 'close'>

function ask({ check, everyMs, timeoutMs, failures }: Probe, { clock, kernel, condemn }: LivenessOptions): Watch {
  const asking = new AbortController()
  let problem: string | undefined
  let answeredAtMs: number | undefined
  let failed = 0
  let cancel: Cancel
  const later = (): void => {
    cancel = clock.at(clock.nowMs() + everyMs, () => {
      void checkProblem(check, timeoutMs, clock, asking.signal, kernel).then((found) => {
        if (asking.signal.aborted) return
        problem = found
        failed = problem === undefined ? 0 : failed + 1
        if (problem === undefined) answeredAtMs = clock.nowMs()
        if (failed >= failures)
          condemn(`does not answer${failures === 1 ? '' : `, ${failures} times in a row`}: ${problem}`)
        else later()
      })
    })
  }
  later()
  return {
    report() {
      if (problem !== undefined)
        return { health: 'stuck', evidence: [`does not answer (${failed} of ${failures} times in a row): ${problem}`] }
      const ago = answeredAtMs === undefined ? undefined : elapsedText(clock.nowMs() - answeredAtMs)
      return { health: 'ok', evidence: [ago === undefined ? 'has not been asked yet' : `answered ${ago} ago`] }
    },
    close() {
      cancel()
      asking.abort()
    },
  }
}

/** After a stall of this process, lines may still wait to be read: so long they have to arrive. */
const UNREAD_MS = 1_000

/** One alarm for each span of silence, however many lines come. */
function listen(silenceMs: number, { clock, condemn }: LivenessOptions): Watch & Pick<LivenessWatch, 'printed'> {
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
    report() {
      const idleMs = clock.nowMs() - lastMs
      const evidence = [`has printed no line for ${elapsedText(idleMs)}`]
      return idleMs < silenceMs / 2 ? { health: 'ok', evidence } : { health: 'quiet', evidence }
    },
    close: () => cancel(),
  }
}
