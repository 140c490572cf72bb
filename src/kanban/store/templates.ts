/** Templates of tasks: a file for each, in the volume. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../../profile/replace-file.ts'
import { HermesError } from '../../system/errors.ts'
import { directoryEntries, FirstInOrder, makeDirectory } from '../../system/files/directory.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { nearest } from '../../system/text/nearest.ts'
import { isRecord } from '../../system/text/record.ts'
import { MAX_BODY_BYTES } from '../port/input.ts'
import { kanbanDir } from './places.ts'

/** A title with options of `hermes kanban create`, by their long names without dashes. */
export interface Template {
  readonly title: string
  readonly options: Readonly<Record<string, string | true>>
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
const MOST_TEMPLATES = 1000
/** A body, with what JSON adds to it. */
const MAX_FILE_BYTES = 4 * MAX_BODY_BYTES

const directory = (home: string): string => join(kanbanDir(home), 'templates')
const fileOf = (home: string, name: string): string => join(directory(home), `${name}.json`)

/** @throws HermesError BAD_NAME */
export function parseTemplateName(text: string): string {
  const name = text.trim().toLowerCase()
  if (NAME.test(name)) return name
  throw new HermesError('BAD_NAME', `${JSON.stringify(text.slice(0, 80))} cannot be the name of a template`, {
    next: 'use 1 to 64 characters of a-z, 0-9, _ and -, starting with a letter or digit',
  })
}

/** Names in their order. */
export function listTemplates(home: string): readonly string[] {
  const names = new FirstInOrder<string>(MOST_TEMPLATES, (a, b) => a < b)
  if (!existsSync(directory(home))) return []
  for (const { name } of directoryEntries(directory(home))) {
    const base = /^(.*)\.json$/.exec(name)?.[1]
    if (base !== undefined && NAME.test(base)) names.add(base)
  }
  return names.first
}

/** @throws HermesError REFUSED: it is there already */
export async function writeTemplate(home: string, name: string, template: Template): Promise<string> {
  const file = fileOf(home, name)
  if (existsSync(file))
    throw new HermesError('REFUSED', `the template "${name}" is there already: ${file}`, {
      next: `hermes kanban template delete ${name}, or edit the file`,
    })
  makeDirectory(directory(home), 0o700)
  await replaceFile(file, `${JSON.stringify(template, null, 2)}\n`, 0o600)
  return file
}

/** @throws HermesError FAILED: there is no such template, or its file cannot be read */
export function readTemplate(home: string, name: string): Template {
  const text = readRegularFile(fileOf(home, name), MAX_FILE_BYTES)
  if (text === undefined) throw noTemplate(home, name)
  try {
    const { title, options } = (JSON.parse(text) ?? {}) as Partial<Template>
    const isText = (one: unknown): boolean => typeof one === 'string' || one === true
    if (typeof title === 'string' && isRecord(options) && Object.values(options).every(isText))
      return { title, options: options as Template['options'] }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new HermesError('FAILED', `${fileOf(home, name)} is not a template: expected {"title": "…", "options": {…}}`, {
    next: `correct it, or make it again: hermes kanban template delete ${name}`,
  })
}

/** @throws HermesError FAILED: there is no such template */
export function removeTemplate(home: string, name: string): void {
  if (!existsSync(fileOf(home, name))) throw noTemplate(home, name)
  rmSync(fileOf(home, name))
}

function noTemplate(home: string, name: string): HermesError {
  const near = nearest(name, listTemplates(home))
  return new HermesError('FAILED', `no template "${name}"`, {
    next: near === undefined ? '"hermes kanban template list" lists them' : `did you mean "${near}"?`,
  })
}

const PLACE = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g

/** The names of the places in texts, `{{name}}`. */
export const placesIn = (...texts: readonly string[]): readonly string[] => [
  ...new Set(texts.flatMap((text) => [...text.matchAll(PLACE)].map(([, name = '']) => name))),
]

/** Fills the places of a text. Each must have a value. */
export const filled = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replaceAll(PLACE, (place, name: string) => values.get(name) ?? place)
