/** The level of a log line, as far as it says so. */

export type Level = 'error' | 'warn' | 'info' | 'debug'
/** `all`: lines without a level too. */
export type LevelFilter = 'all' | 'info' | 'warn' | 'error'

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const WORDS: readonly (readonly [Level, RegExp])[] = [
  ['error', /\b(?:ERROR|FATAL|CRITICAL|PANIC)\b|^(?:error|fatal|panic|Traceback|Uncaught)\b|\b(?:error|fatal):/],
  ['warn', /\bWARN(?:ING)?\b|^warn(?:ing)?\b|\bwarning:/],
  ['info', /\bINFO\b|^info\b/],
  ['debug', /\b(?:DEBUG|TRACE)\b|^(?:debug|trace)\b/],
]
/** Only the beginning is looked at: a word far inside a line is part of what is told. */
const LOOK_AT = 120

/** pino's numbers (`"level":50`), logfmt's and JSON's words (`level=warn`), or a word near the beginning. */
export function levelOf(text: string): Level | undefined {
  const head = text.slice(0, LOOK_AT)
  const named = /"?level"?\s*[:=]\s*"?(\d+|[a-z]+)/i.exec(head)?.[1]?.toLowerCase()
  if (named !== undefined) return byName(named)
  return WORDS.find(([, pattern]) => pattern.test(head))?.[0]
}

function byName(name: string): Level | undefined {
  if (/^\d+$/.test(name)) {
    const rank = Number(name)
    if (rank >= 50) return 'error'
    if (rank >= 40) return 'warn'
    return rank >= 30 ? 'info' : 'debug'
  }
  if (/^(?:err|fatal|crit|panic)/.test(name)) return 'error'
  if (name.startsWith('warn')) return 'warn'
  if (name.startsWith('info') || name === 'notice') return 'info'
  return /^(?:debug|trace)/.test(name) ? 'debug' : undefined
}

/** Lines that do not say their level are shown by `all` only. */
export const passes = (level: Level | undefined, filter: LevelFilter): boolean =>
  filter === 'all' || (level !== undefined && RANK[level] >= RANK[filter])
