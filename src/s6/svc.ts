import { isUp, type ServiceState } from './status.ts'

/** What is waited for: run spawned, ready, run dead, finished, spawned again, ready again. */
export type Wait = 'u' | 'U' | 'd' | 'D' | 'r' | 'R'

export interface SvcRequest {
  /** What goes into the control FIFO, in the order it was said. */
  readonly letters: string
  readonly wait: Wait | undefined
  /** undefined: for ever. */
  readonly timeoutMs: number | undefined
  readonly dir: string
}

const LETTERS = 'abqhktipcrlPCKoduUDQOx12y'
const WAITS = 'uUdDrR'

/** @returns a text that says what is wrong with the words */
export function parseSvc(argv: readonly string[]): SvcRequest | string {
  let letters = ''
  let wait: Wait | undefined
  let timeoutMs: number | undefined
  const words = [...argv]
  while (words[0]?.startsWith('-') && words[0] !== '-') {
    const word = words.shift() ?? ''
    if (word === '--') break
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] ?? ''
      if (letter === 'w' || letter === 'T') {
        const value = word.slice(i + 1) || (words.shift() ?? '')
        if (letter === 'w') {
          if (value.length !== 1 || !WAITS.includes(value))
            return `-w takes one of ${[...WAITS].join(' ')}, got "${value}"`
          wait = value as Wait
        } else {
          if (!/^\d{1,9}$/.test(value)) return `-T takes milliseconds, a whole number, got "${value}"`
          timeoutMs = Number(value) || undefined
        }
        break
      }
      if (!LETTERS.includes(letter)) return `unknown option -${letter}`
      letters += letter
    }
  }
  const [dir, ...rest] = words
  if (dir === undefined || rest.length > 0) return 'expected one slot directory'
  return { letters, wait, timeoutMs, dir }
}

/**
 * Whether what was waited for has come about.
 * @param before the state when the command was sent
 */
export function isOver(wait: Wait, before: ServiceState, now: ServiceState): boolean {
  switch (wait) {
    case 'u':
      return isUp(now)
    case 'U':
      return isUp(now) && now.ready
    case 'd':
      return !isUp(now)
    case 'D':
      return now.pid === undefined
    case 'r':
      return isUp(now) && now.pid !== before.pid
    case 'R':
      return isUp(now) && now.ready && now.pid !== before.pid
  }
}
