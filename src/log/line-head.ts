/**
 * The beginning of a log line: times, brackets and names are passed over until a level is found, or something that is
 * neither.
 */
import { AFTER_TIME, BARE, type Level, levelOfLetter, levelOfNumber, levelOfWord } from './line-level.ts'

export type Head = (
  | { readonly kind: 'level'; readonly level: Level; readonly session?: string }
  /** A JSON object, or logfmt's pairs, from there on. */
  | { readonly kind: 'json' | 'pairs'; readonly from: number }
  /** A line that begins with a time and names no level. */
  | { readonly kind: 'time' }
  | { readonly kind: 'none' }
) & { readonly atMs?: number }

/**
 * ISO 8601 and its relatives: `2026-05-29T11:55:01.123Z`, `2026-05-29 11:55:01,123`, `2026/05/29 11:55:01`, with a zone
 * or its name.
 */
const ISO_TIME =
  /(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)\b| ?[A-Z]{3,4}\b(?= \[))?/y
const OTHER_TIMES: readonly RegExp[] = [
  /(?:\d{6} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?[AP]M)?/y, // `11:55:01.123`, Jupyter's `260529 11:55:01`
  /\d\d[-/ ](?:\w{3}|\d\d)[-/ ]\d{4}[: ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: (?:[+-]\d{4}|[A-Z]{3,4}))?/y, // `29/May/2026:11:55:01 +0000`
  /(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}/y, // Apache's `Fri May 29 11:55:01.123 2026`
  /\d{10}(?:\.\d{1,9})?(?=\s)/y, // seconds since 1970
]
/** Syslog's `May 29 11:55:01`. */
const SYSLOG_TIME = /(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?/y
/** Syslog's host and program, `host app[123]:`; after its own kind of time the number may be missing. */
const WITH_PID = /[\w.:-]+ [\w./@-]+\[\d+\]: /y
const TAG = / [\w.-]+ [\w./@-]+(?:\[\d+\])?: /y
/** Names that stand between a time and a level where both sides are marked: ` - logger - `, ` | logger | `. */
const MARKED_NAME = /[\w.:/$-]+(?= +[-|] )/y
const PLACE = /[\w./\\-]+:\d+(?::\d+)?:?(?=\s)/y // `main.go:23:`
const NUMBER = /#?\d+(?=\s)/y
const ACCOUNT = /[\w.[\]-]+@[\w.[\]-]+(?=\s)/y // PostgreSQL's user@database
const PROGRAM = /(?:[\w./-]+:|PHP(?= \w+( error)?:)) (?=\[?\w+(?: error)?[:\]])/y // `nginx: [emerg]`, `hermes: warning:`
const NPM = /npm (?=(?:ERR!|error|WARN|warn|notice|info|verb)\s)/y
const DECORATION = /(?:[\s|*•>~–—·-]|\p{Extended_Pictographic}|\ufe0f)+/uy
const BRACKETS = /\[([^[\]]{0,200})\]:?|\(([^()]{0,200})\)/y
const WORD = /([A-Za-z]{3,13})(?: error)?(?=$|[\s:\])|/!>,;+])/y
const PRI = /<(\d{1,3})>(?:\d )?/y
const SESSION = /:?\s*(?:-\s*)?\[([^\]\s]{1,128})\]/y

/** One letter at the very beginning, where what follows leaves no doubt. */
const LETTERS: readonly RegExp[] = [
  /([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+/y, // klog, glog
  /([DIWEFA]), \[\d{4}-/y, // Ruby
  /([VDIWEF])\/[\w.-]+ *(?:\( *\d+\))?:/y, // Android
  /\[([DIWEC]) (?:\d{6} |\d{4}-\d\d-\d\d )?\d\d:\d\d/y, // Jupyter, Tornado
]
const MAX_TOKENS = 8

/** @param isIndented then only a time or a level in capitals begins a line of its own */
export function readHead(text: string, isIndented: boolean): Head {
  const scan = new Scan(text)
  const letter = scan.firstOf(LETTERS)
  const ofLetter = letter?.[1] === undefined ? undefined : levelOfLetter(letter[1])
  if (ofLetter !== undefined) return { kind: 'level', level: ofLetter }
  const pri = scan.take(PRI)
  const severity = pri && Number(pri[1]) <= 191 ? levelOfNumber(Number(pri[1]) % 8) : undefined
  if (severity !== undefined) return { kind: 'level', level: severity }
  return readTokens(scan, isIndented)
}

function readTokens(scan: Scan, isIndented: boolean): Head {
  let atMs: number | undefined
  let afterTime = false
  let marked = false
  const done = <H extends object>(head: H): H & { readonly atMs?: number } =>
    atMs === undefined ? head : { ...head, atMs }
  for (let tokens = 0; tokens < MAX_TOKENS; tokens++) {
    scan.take(DECORATION)
    if (scan.text[scan.at] === '{') return isIndented ? { kind: 'none' } : done({ kind: 'json', from: scan.at })
    if (
      !isIndented &&
      scan.sees(/[A-Za-z_@][\w.@-]*=(?!=)(?=["\w-])/y) &&
      /\s[\w.@-]+=/.test(` ${scan.text.slice(scan.at)}`)
    )
      return done({ kind: 'pairs', from: scan.at })
    const time = scan.take(ISO_TIME)
    if (time) {
      atMs ??= msOf(time)
      afterTime = true
      continue
    }
    const isSyslog = scan.take(SYSLOG_TIME) !== undefined
    if (isSyslog) scan.firstOf([TAG])
    if (isSyslog || scan.firstOf(OTHER_TIMES)) {
      afterTime = true
      continue
    }
    const found = scan.level({ afterTime, marked, isIndented })
    if (found) return done({ kind: 'level', ...found })
    const brackets = scan.take(BRACKETS)
    if (brackets) {
      const inside = new Scan(brackets[1] ?? brackets[2] ?? '')
      const when = inside.take(ISO_TIME)
      if (when) atMs ??= msOf(when)
      afterTime ||= when !== undefined || inside.firstOf(OTHER_TIMES) !== undefined
      continue
    }
    if (afterTime && scan.firstOf([WITH_PID, MARKED_NAME, PLACE, NUMBER, ACCOUNT])) continue
    if (afterTime || isIndented) break
    if (scan.take(NPM)) afterTime = true
    else if (scan.firstOf([PLACE, PROGRAM])) marked = true
    else break
  }
  return afterTime ? done({ kind: 'time' }) : { kind: 'none' }
}

interface Where {
  readonly afterTime: boolean
  /** The name of a program was passed over: only a level with a colon or bracket counts. */
  readonly marked: boolean
  readonly isIndented: boolean
}

class Scan {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
  }

  sees(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    return pattern.test(this.text)
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found === null) return undefined
    this.at = pattern.lastIndex
    return found
  }

  firstOf(patterns: readonly RegExp[]): RegExpExecArray | undefined {
    for (const pattern of patterns) {
      const found = this.take(pattern)
      if (found) return found
    }
    return undefined
  }

  /** A level here, bare or in brackets, and the session that our own form has behind it. */
  level(where: Where): { readonly level: Level; readonly session?: string } | undefined {
    const from = this.at
    const level = this.#inBrackets() ?? this.#word(where)
    if (level === undefined) {
      this.at = from
      return undefined
    }
    const session = this.take(SESSION)?.[1]
    return { level, ...(session === undefined ? {} : { session }) }
  }

  #inBrackets(): Level | undefined {
    const found = this.take(BRACKETS)
    const inside = (found?.[1] ?? found?.[2])?.trim()
    if (inside === undefined) return undefined
    if (/^[A-Za-z]+$/.test(inside)) return levelOfWord(inside)
    // `[11:55:01 ERR]`, `[2026-05-29 11:55:01,123: ERROR/MainProcess]`
    const scan = new Scan(inside)
    if (scan.take(ISO_TIME) === undefined && scan.firstOf(OTHER_TIMES) === undefined) return undefined
    scan.take(/:?\s+/y)
    return scan.#word({ afterTime: true, marked: false, isIndented: false })
  }

  #word({ afterTime, marked, isIndented }: Where): Level | undefined {
    const word = this.take(WORD)?.[1]
    if (word === undefined) return undefined
    const level = levelOfWord(word)
    if (level === undefined) return undefined
    const after = this.text[this.at] ?? ''
    const isCapital = word === word.toUpperCase()
    if (isIndented) return isCapital && BARE.has(word) && /^\s/.test(after) ? level : undefined
    if (after === ':' || after === '!' || (isCapital && after === ']'))
      return isProse(this.text, this.at) ? undefined : level
    if (marked && !afterTime) return undefined
    if (isCapital && BARE.has(word)) return level
    return afterTime && AFTER_TIME.has(word) && /^[\s|/]/.test(after) ? level : undefined
  }
}

/** `note:8080`, `http://`: a colon that is not a mark. */
const isProse = (text: string, at: number): boolean => /^:(?:\/\/|\d)/.test(text.slice(at, at + 3))

function msOf([, year, month, day, hour, minute, second = '00', fraction = '0', zone = 'Z']: RegExpExecArray):
  | number
  | undefined {
  const offset = /^[+-]/.test(zone) ? zone.replace(/^(...)(\d\d)$/, '$1:$2') : 'Z'
  const ms = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`,
  )
  return Number.isNaN(ms) ? undefined : ms
}
