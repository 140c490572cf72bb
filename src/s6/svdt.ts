import { readOptions, wholeNumber } from './options.ts'
import { signalText, stampHex } from './status.ts'

export interface SvdtRequest {
  readonly numeric: boolean
  /** undefined: all there are. */
  readonly last: number | undefined
  readonly dir: string
}

export const SVDT_USAGE = 's6-svdt [ -S | -s ] [ -n maxentries ] servicedir'

/** @returns a text that says what is wrong with the words */
export function parseSvdt(argv: readonly string[]): SvdtRequest | string {
  const words = readOptions(argv, 'Ssn:')
  if (typeof words === 'string') return words
  let numeric = false
  let last: number | undefined
  for (const { letter, value } of words.options) {
    if (letter === 'n') {
      last = wholeNumber(value)
      if (last === undefined) return `-n takes a whole number, got "${value}"`
    } else numeric = letter === 's'
  }
  const [dir] = words.rest
  return dir === undefined ? 'expected a slot directory' : { numeric, last, dir }
}

/** Stamp of 12 bytes, exit code, signal (0: none). */
const RECORD_BYTES = 14

/** @param tally `supervise/death_tally`; a record that was cut short is left out */
export function describeDeaths(tally: Buffer, { numeric, last }: Pick<SvdtRequest, 'numeric' | 'last'>): string {
  const count = Math.floor(tally.length / RECORD_BYTES)
  const lines: string[] = []
  for (let i = Math.max(0, count - (last ?? count)); i < count; i++) {
    const at = i * RECORD_BYTES
    const signal = tally.readUInt8(at + 13)
    const how =
      signal === 0 ? `exitcode ${tally.readUInt8(at + 12)}` : `signal ${numeric ? signal : signalText(signal)}`
    lines.push(`@${stampHex(tally, at)} ${how}\n`)
  }
  return lines.join('')
}
