/**
 * Reads a config.yaml of plain lines: comments, sections, and keys with a word, a number, a text in quotes or a list of
 * those on the same line. Most files are no more than that, and the YAML parser costs a boot 5 ms for the first file,
 * half a millisecond for each further one, and the memory of its code. In doubt nothing is read here, and the parser
 * decides: it alone reports problems.
 */
import { CONFIG_KEYS, type ConfigValues, configKeys, defaultValues, isConfigKey } from './keys.ts'
import type { Kind } from './kinds/kinds.ts'

interface Section {
  /** `gateway.`; empty for the whole file. */
  readonly prefix: string
  /** Spaces before each of its keys. */
  readonly indent: number
}

const BLANK = /^[ \t]*(?:#|$)/
const LINE = /^( *)([a-z_]+):( .*)?$/
const SPACES = /^ *$/
const LIST = /^ *\[([^\]]*)\] *$/
/** A text in double or single quotes, a whole number, a word. All other forms have rules of their own. */
const SCALAR =
  /^ *(?:"([ !#-[\]-~]*)"|'([ -&(-~]*)'|(0|[1-9]\d{0,14})|([1-9]\d*(?:ms|[smhd])|-{0,2}[A-Za-z_/][\w./=-]*)) *$/

/**
 * @param text of a config.yaml
 * @returns the values in force, as the YAML parser would find them without a problem; undefined: ask the parser
 */
export function readPlainLines(text: string): ConfigValues | undefined {
  const values: Record<string, unknown> = { ...defaultValues() }
  const seen = new Set<string>()
  const sections: Section[] = [{ prefix: '', indent: 0 }]
  /** Prefix of the section that the line before has begun. */
  let begun: string | undefined
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    if (BLANK.test(line)) continue
    const [, spaces = '', name, rest = ''] = LINE.exec(line) ?? []
    if (name === undefined) return undefined
    const comment = rest.indexOf(' #')
    const written = comment === -1 ? rest : rest.slice(0, comment)
    const isEmpty = SPACES.test(written)
    const prefix = enter(sections, spaces.length, begun)
    if (prefix === undefined) return undefined
    const key = `${prefix}${name}`
    if (seen.has(key)) return undefined
    seen.add(key)
    begun = undefined
    if (isConfigKey(key)) {
      const value = isEmpty ? CONFIG_KEYS[key].value : settingOf(CONFIG_KEYS[key].kind, written)
      if (value === undefined) return undefined
      values[key] = value
    } else {
      begun = `${key}.`
      if (!isEmpty || !isSection(begun)) return undefined
    }
  }
  return values as unknown as ConfigValues
}

const isSection = (prefix: string): boolean => configKeys().some((key) => key.startsWith(prefix))

/**
 * Goes to the section that a line with this indentation belongs to.
 * @param begun a section without a key so far
 * @returns its prefix; undefined: the indentation fits none
 */
function enter(sections: Section[], indent: number, begun: string | undefined): string | undefined {
  while ((sections.at(-1)?.indent ?? 0) > indent) sections.pop()
  const section = sections.at(-1)
  if (section?.indent === indent) return section.prefix
  if (begun === undefined) return undefined
  sections.push({ prefix: begun, indent })
  return begun
}

/** @returns the value in force; undefined: it is not a plain one, or the kind does not take it unchanged */
function settingOf(kind: Kind<unknown>, written: string): unknown {
  const list = LIST.exec(written)?.[1]
  if ((list !== undefined) !== (kind.asWritten === true)) return undefined
  const found = list === undefined ? scalarOf(written) : listOf(list)
  const value = found === undefined ? undefined : kind.read(found)
  return typeof value === 'number' && value < (kind.least ?? value) ? undefined : value
}

/** Its items stay as typed. */
function listOf(written: string): readonly string[] | undefined {
  const items = written.split(',').map((item) => {
    const [, double, single, number, plain] = SCALAR.exec(item) ?? []
    return double ?? single ?? number ?? (plain === undefined || isNull(plain) ? undefined : plain)
  })
  return items.every((item) => item !== undefined) ? items : undefined
}

function scalarOf(written: string): string | number | boolean | undefined {
  const [, double, single, number, plain] = SCALAR.exec(written) ?? []
  if (number !== undefined) return Number(number)
  if (plain === undefined) return double ?? single
  if (plain === 'true' || plain === 'false') return plain === 'true'
  return isNull(plain) || /^(?:true|false)$/i.test(plain) ? undefined : plain
}

const isNull = (plain: string): boolean => /^null$/i.test(plain)
