import { deathsIn } from '../protocol/s6.ts'
import { readOptions, wholeNumber } from './options.ts'
import { signalText } from './status.ts'

export interface SvdtRequest {
  readonly numeric: boolean
  /** undefined: all there are. */
  readonly last: number | undefined
  readonly dir: string
}

export const SVDT_USAGE = 's6-svdt [ -S | -s ] [ -n maxentries ] servicedir'

/** @returns a text that says what is wrong with the arguments */
export function parseSvdt(argv: readonly string[]): SvdtRequest | string {
  const parsed = readOptions(argv, 'Ssn:')
  if (typeof parsed === 'string') return parsed
  let numeric = false
  let last: number | undefined
  for (const { letter, value } of parsed.options) {
    if (letter === 'n') {
      last = wholeNumber(value)
      if (last === undefined) return `-n takes a whole number, got "${value}"`
    } else numeric = letter === 's'
  }
  const [dir] = parsed.rest
  return dir === undefined ? 'expected a slot directory' : { numeric, last, dir }
}

/** @param tally `supervise/death_tally` */
export function describeDeaths(tally: Buffer, { numeric, last }: Pick<SvdtRequest, 'numeric' | 'last'>): string {
  const deaths = deathsIn(tally)
  return deaths
    .slice(Math.max(0, deaths.length - (last ?? deaths.length)))
    .map(({ stamp, exitCode, signal }) => {
      const how = signal === 0 ? `exitcode ${exitCode}` : `signal ${numeric ? signal : signalText(signal)}`
      return `@${stamp} ${how}\n`
    })
    .join('')
}
