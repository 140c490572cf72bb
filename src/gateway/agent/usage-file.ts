/** The report of a program about the tokens of its answer, in the file that HERMES_USAGE_FILE names. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readUsage, type Usage } from '../../meter/usage.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { isRecord } from '../../system/text/record.ts'

/** The variable with the file's path. */
export const USAGE_FILE = 'HERMES_USAGE_FILE'

/** Or why nothing of what is there counts. */
export type UsageReport = { readonly usage: Usage } | { readonly problem: string }

export interface UsageFile {
  /** There is nothing yet; the program creates it. */
  readonly path: string
  /** Undefined: the program has reported nothing. */
  read(): UsageReport | undefined
  remove(): void
}

const MAX_BYTES = 64 * 1024

/**
 * A place for one answer, which no other user can read.
 * @returns undefined where there is no directory for temporary files: then nothing is reported
 */
export function makeUsageFile(): UsageFile | undefined {
  let dir: string
  try {
    dir = mkdtempSync(join(tmpdir(), 'hermes-usage-'))
  } catch {
    return undefined // with a read-only or full /tmp, the program can answer all the same
  }
  const path = join(dir, 'usage.json')
  return {
    path,
    read() {
      const { text, problem } = readSmallFile(path, MAX_BYTES)
      return problem === undefined ? parseReport(text ?? '') : { problem: `${USAGE_FILE} ${problem}` }
    },
    remove() {
      try {
        rmSync(dir, { recursive: true, force: true })
      } catch {
        // A program of another user has left something there. The answer is complete all the same.
      }
    },
  }
}

/**
 * One JSON document, or one in each line, whose sum counts: a `usage` of OpenAI's chat or responses API, or something
 * that has one. Half of a report does not count.
 */
export function parseReport(text: string): UsageReport | undefined {
  if (text.trim() === '') return undefined
  const documents =
    parsed(text) ??
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => parsed(line)?.[0])
  const used = documents.map((one) => usageIn(one))
  const bad = used.indexOf(undefined)
  if (bad !== -1) return { problem: `${USAGE_FILE}, document ${bad + 1}: expected ${EXPECTED}` }
  const sum = (name: keyof Usage): number => used.reduce((total, usage) => total + (usage?.[name] ?? 0), 0)
  return {
    usage: { inputTokens: sum('inputTokens'), cachedTokens: sum('cachedTokens'), outputTokens: sum('outputTokens') },
  }
}

const EXPECTED = 'JSON with input_tokens and output_tokens, as OpenAI has them'

const usageIn = (value: unknown): Usage | undefined =>
  (readUsage(value) ?? readUsage(isRecord(value) ? { usage: value } : undefined))?.usage

/** @returns the document as a list of one; undefined: it is not one, or several */
function parsed(text: string): readonly unknown[] | undefined {
  try {
    return [JSON.parse(text)]
  } catch {
    return undefined
  }
}
