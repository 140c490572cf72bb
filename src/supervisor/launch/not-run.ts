/**
 * The report that a slot's own script leaves for the supervisor when there was no program to run (run-script.ts), or no
 * secret for it (slot-secrets.ts).
 */
import { rmSync } from 'node:fs'
import { type Ending, NOT_RUN_CODES, type NoProgram, type NotRun } from '../../slot/ending.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { isRecord } from '../../system/text/record.ts'

/** Its name in the slot's directory. */
export const NOT_RUN_FILE = 'not-run'
/** A longer name of a program is not worth a line. */
const MAX_BYTES = 4096

/**
 * Reads and removes what the script has left.
 * @param dir the slot's directory
 * @returns undefined: there was a program, and the ending is its own
 */
export function takeNotRun(dir: string, ending: Ending): NotRun | undefined {
  const code = 'exitCode' in ending ? ending.exitCode : undefined
  if (!Object.values(NOT_RUN_CODES).some((one) => one === code)) return undefined
  const file = below(dir, NOT_RUN_FILE)
  const { text } = readSmallFile(file, MAX_BYTES)
  if (text === undefined) return undefined
  try {
    rmSync(file, { force: true })
    const found: unknown = JSON.parse(text)
    if (!isRecord(found) || NOT_RUN_CODES[found.code as NotRun['code']] !== code) return undefined
    if (found.code === 'NO_SECRET')
      return typeof found.problem === 'string' ? { code: found.code, problem: oneLine(found.problem) } : undefined
    if (typeof found.program !== 'string') return undefined
    return { code: found.code as NoProgram['code'], program: oneLine(found.program) }
  } catch {
    // The runtime user can write there: ignore torn or foreign content.
    return undefined
  }
}
