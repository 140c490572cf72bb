/** Names and numbers of levels, as log libraries and syslog have them. */

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

const WORDS: { readonly [L in Level]: string } = {
  trace: 'trace trc trce verbose verb vrb finest finer silly',
  debug: 'debug dbg dbug debg fine config',
  info: 'info inf information informational notice note log success http',
  warn: 'warn warning wrn wrng',
  error: 'error err severe fail',
  fatal: 'fatal ftl critical crit panic dpanic alert emerg emergency',
}
const LEVEL_OF = new Map(LEVELS.flatMap((level) => WORDS[level].split(' ').map((word) => [word, level] as const)))

/** Words that are a level in capitals without anything after them; the rest want a colon or a bracket. */
export const BARE = new Set(
  'TRACE TRC VERBOSE VRB DEBUG DBG DBUG INFO INF NOTICE WARN WARNING WRN ERROR ERR SEVERE CRITICAL CRIT FATAL FTL PANIC EMERG'.split(
    ' ',
  ),
)
/** Lower-case words that are a level right after a time. */
export const AFTER_TIME = new Set('trace debug info notice warn warning error critical fatal panic'.split(' '))

/** `warn`, `WARNING`, `ERROR+2`; in any case. */
export const levelOfWord = (word: string): Level | undefined =>
  LEVEL_OF.get((/^[a-z]+/i.exec(word.trim())?.[0] ?? '').toLowerCase())

/** pino's and bunyan's tens; below ten a severity of syslog (RFC 5424, 6.2.1), where 0 is the worst. */
export function levelOfNumber(number: number): Level | undefined {
  if (number >= 10) return LEVELS[Math.min(Math.floor(number / 10), LEVELS.length) - 1]
  return number >= 0 ? SYSLOG[Math.floor(number)] : undefined
}

const SYSLOG: readonly Level[] = ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug']

/** One letter: klog, glog, Ruby, Android, Jupyter. */
export const levelOfLetter = (letter: string): Level | undefined =>
  (
    ({
      V: 'trace',
      T: 'trace',
      D: 'debug',
      I: 'info',
      W: 'warn',
      E: 'error',
      C: 'fatal',
      F: 'fatal',
      A: 'info',
    }) as const
  )[letter as 'V']
