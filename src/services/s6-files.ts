/**
 * The small files of a service directory: names, numbers, a signal. s6 passes over a number that it cannot read;
 * s6-rc-compile refuses it. Source: s6-rc 0.5.4, src/s6-rc/s6-rc-compile.c, and s6's servicedir.
 */
import type { Fault } from '../system/files/trust.ts'
import { parseSignal } from '../system/signals.ts'
import type { ServiceRules } from './definition.ts'
import type { TreeDir } from './facts.ts'

/** Thrown while one definition is read, and caught where the next one begins: the definition is left out by name. */
export class RefusedDefinition extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

export const refused = (file: string, message: string, repair: string): RefusedDefinition =>
  new RefusedDefinition({ file, message, repair })

/** Numbers in s6's files have 32 bits. */
const MAX_NUMBER = 2 ** 32 - 1
const isNumber = (text: string): boolean => /^\d+$/.test(text) && Number(text) <= MAX_NUMBER
const quoted = (text: string): string => JSON.stringify(text.slice(0, 40))

const crlf = (file: string): ReturnType<typeof refused> =>
  refused(file, 'its lines end in CRLF', `save it with LF line ends: sed -i 's/\\r$//' ${file}`)

export type SourceType = 'longrun' | 'oneshot' | 'bundle'

/**
 * Returns the type of a directory of s6-rc. s6-rc reads eight bytes of the file `type` and strips a newline at their
 * end.
 */
export function typeOf(dir: TreeDir): SourceType {
  const text = dir.files.type?.slice(0, 8).replace(/\n$/, '')
  if (text === 'longrun' || text === 'oneshot' || text === 'bundle') return text
  if (dir.files.type?.includes('\r')) throw crlf(`${dir.path}/type`)
  const got = text === undefined ? 'the file is missing' : `got ${quoted(text)}`
  throw refused(`${dir.path}/type`, `expected longrun, oneshot or bundle, ${got}`, 'write one of them into it')
}

/**
 * The names in `<list>.d`; where that is not there, one a line of the file `<list>`. @returns undefined: there is
 * neither
 */
export function namesIn(dir: TreeDir, list: string): readonly string[] | undefined {
  return dir.lists[`${list}.d`] ?? linesOf(dir, list)
}

/** A name a line; white space before it, empty lines and lines that begin with # count for nothing. */
export function linesOf(dir: TreeDir, file: string): readonly string[] | undefined {
  const text = dir.files[file]
  if (text?.includes('\r')) throw crlf(`${dir.path}/${file}`)
  const names = text?.split('\n').map((line) => line.replace(/^[ \t]+/, ''))
  return names?.filter((name) => name !== '' && !name.startsWith('#'))
}

/** Returns the only name in a file. @returns undefined: there is no such file */
export function onlyName(dir: TreeDir, file: string): string | undefined {
  const names = linesOf(dir, file)
  if (names === undefined || names.length === 1) return names?.[0]
  throw refused(`${dir.path}/${file}`, `expected one name, got ${names.length}`, 'write one name into it')
}

/** A file with a whole number on its first line; absent, or empty: undefined. */
export function whole(dir: TreeDir, name: string, min: number, max = MAX_NUMBER): number | undefined {
  const text = dir.files[name]?.split('\n')[0]?.trim()
  if (text === undefined || text === '') return undefined
  const value = isNumber(text) ? Number(text) : -1
  if (value >= min && value <= max) return value
  const what = max < MAX_NUMBER ? `a descriptor from ${min} to ${max}` : MILLISECONDS
  throw refused(`${dir.path}/${name}`, `expected ${what}, got ${quoted(text)}`, 'write one into it')
}

const MILLISECONDS = `milliseconds, a whole number of at most ${MAX_NUMBER}`
/** Read to their end; of the others the first line counts. */
const TO_THE_END = ['timeout-up', 'timeout-down']
const NUMBERS = [...TO_THE_END, 'timeout-kill', 'timeout-finish', 'notification-fd', 'lock-fd', 'max-death-tally']

/** s6-rc-compile takes nothing but digits, in those files too that are not read here. */
export function checkNumbers(dir: TreeDir): void {
  for (const name of NUMBERS) {
    const text = dir.files[name]
    const value = TO_THE_END.includes(name) ? text?.replace(/\n+$/, '') : text?.split('\n')[0]
    if (value === undefined || isNumber(value)) continue
    const file = `${dir.path}/${name}`
    if (value.includes('\r')) throw crlf(file)
    const what = name.startsWith('timeout-') ? MILLISECONDS : 'a whole number'
    throw refused(file, `expected ${what}, got ${quoted(value)}`, 'write one into it')
  }
  const notify = whole(dir, 'notification-fd', 0)
  if (notify === undefined || notify < 3 || whole(dir, 'lock-fd', 0) !== notify) return
  throw refused(`${dir.path}/lock-fd`, 'it names the descriptor of notification-fd', 'use another one')
}

export function signal(dir: TreeDir): ServiceRules['stopSignal'] {
  const text = dir.files['down-signal']?.trim()
  if (text === undefined || text === '') return 'TERM'
  const found = parseSignal(text)
  if (found !== undefined) return found
  throw refused(`${dir.path}/down-signal`, `expected a signal, got ${quoted(text)}`, 'write TERM, INT, … into it')
}
