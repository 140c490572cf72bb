import { isatty } from 'node:tty'
import type { Progress } from '../../profile/directory/staging.ts'
import type { Cancel } from '../../system/clock.ts'
import type { Context } from './context.ts'

const STDERR = 2
/** Work shorter than this shows no progress. */
const FIRST_MS = 1000
const EVERY_MS = 200

/** "copied 1 file", "copied 3 files" */
export interface ProgressWords {
  readonly verb: string
  readonly one: string
  readonly many: string
}

const FILES = { one: 'file', many: 'files' }

/**
 * Runs `work`. If it takes long, shows a progress line on the terminal; not without a terminal or with --json.
 * @param words a verb alone ("copied", "removed") is about files
 */
export async function withProgress<T>(
  context: Pick<Context, 'clock' | 'output' | 'json'>,
  words: string | ProgressWords,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const { clock, output, json } = context
  const startedAtMs = clock.nowMs()
  let count = 0
  let bytes = 0
  let isShown = false
  let cancel: Cancel = () => undefined
  const show = (): void => {
    isShown = true
    output.err(`\r${progressText(words, count, bytes, clock.nowMs() - startedAtMs)}\x1b[K`)
    cancel = clock.at(clock.nowMs() + EVERY_MS, show)
  }
  if (isatty(STDERR) && !json) cancel = clock.at(startedAtMs + FIRST_MS, show)
  try {
    return await work((size) => {
      count += 1
      bytes += size
    })
  } finally {
    cancel()
    if (isShown) output.err('\r\x1b[K')
  }
}

/** `copied 12345 files, 120.3 MB, 3.4 MB/s` */
export function progressText(words: string | ProgressWords, count: number, bytes: number, ms: number): string {
  const { verb, one, many } = typeof words === 'string' ? { verb: words, ...FILES } : words
  const perSecond = ms > 0 ? (bytes * 1000) / ms : 0
  return `${verb} ${count} ${count === 1 ? one : many}, ${sizeText(bytes)}, ${sizeText(perSecond)}/s`
}

/** `120.3 MB` */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/**
 * Runs `work` with a signal that Ctrl-C and TERM abort. After `work` has cleaned up, the process ends as that signal
 * would have ended it. A second signal ends it at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let received: NodeJS.Signals | undefined
  const abort = (signal: NodeJS.Signals): void => {
    stopListening()
    received = signal
    controller.abort()
  }
  const stopListening = (): void => void ['SIGINT', 'SIGTERM'].map((name) => process.off(name, abort))
  process.on('SIGINT', abort)
  process.on('SIGTERM', abort)
  try {
    return await work(controller.signal)
  } finally {
    stopListening()
    if (received !== undefined) process.kill(process.pid, received)
  }
}
