import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSmallFile } from '../../system/files/small-file.ts'
import { type Fault, trusted } from '../../system/files/trust.ts'
import { type CheckedProgram, checkProgram, type ProgramFacts } from '../../system/programs/program.ts'
import type { ServiceProblem } from '../definition.ts'
import type { TreeDir } from '../facts.ts'

const FILES = new Set(
  'type up down down-signal notification-fd lock-fd max-death-tally timeout-up timeout-down timeout-kill timeout-finish flag-essential producer-for consumer-for pipeline-name dependencies contents'.split(
    ' ',
  ),
)
const PROGRAMS = new Set(['run', 'finish'])
const LISTS = new Set(['dependencies.d', 'contents.d'])
const MAX_BYTES = 65_536

export interface Tree {
  readonly dirs: readonly TreeDir[]
  readonly problems: readonly ServiceProblem[]
}

/** The directories below `root`, by name; none when it does not exist. */
export function readTree(root: string, facts: ProgramFacts): Tree {
  const found = trusted(root)
  if (found === undefined) return { dirs: [], problems: [] }
  if ('fault' in found)
    return { dirs: [], problems: [{ ...found.fault, message: `no service of ${root} is run: ${found.fault.message}` }] }
  const names = readdirSync(found.real).filter((name) => !name.startsWith('.'))
  const dirs = names.sort().flatMap((name) => readDir(join(root, name), name, facts) ?? [])
  return { dirs, problems: [] }
}

/** @returns undefined when it is not a directory */
function readDir(path: string, name: string, facts: ProgramFacts): TreeDir | undefined {
  const files: Record<string, string> = {}
  const lists: Record<string, readonly string[]> = {}
  const programs: Record<string, CheckedProgram> = {}
  const dir = { name, path, files, lists, programs }
  const found = trusted(path)
  if (found === undefined) return undefined
  if ('fault' in found) return { ...dir, problem: found.fault }
  if (!found.status.isDirectory()) return undefined
  let problem: Fault | undefined
  let log: TreeDir | undefined
  for (const entry of readdirSync(found.real)) {
    const file = join(path, entry)
    if (PROGRAMS.has(entry)) programs[entry] = checkProgram(file, facts) ?? gone(file)
    else if (FILES.has(entry) || LISTS.has(entry)) {
      const read = LISTS.has(entry) ? readNames(file) : readText(file)
      if ('fault' in read) problem ??= read.fault
      else if ('names' in read) lists[entry] = read.names
      else files[entry] = read.text
    } else if (entry === 'log') log = readDir(file, entry, facts)
  }
  return { ...dir, ...(log !== undefined && { log }), ...(problem !== undefined && { problem }) }
}

const gone = (file: string): CheckedProgram => ({
  file,
  fault: { file, message: 'it is a broken link', repair: 'put a program there' },
})

function readNames(path: string): { readonly names: readonly string[] } | { readonly fault: Fault } {
  const found = trusted(path)
  if (found !== undefined && 'fault' in found) return found
  return {
    names: found?.status.isDirectory()
      ? readdirSync(found.real)
          .filter((name) => !name.startsWith('.'))
          .sort()
      : [],
  }
}

/**
 * Reads a file that only root can change. A missing file counts as empty: its name was in the directory a moment ago.
 */
export function readText(path: string, maxBytes = MAX_BYTES): { readonly text: string } | { readonly fault: Fault } {
  const found = trusted(path)
  if (found === undefined) return { text: '' }
  if ('fault' in found) return found
  const { text, problem } = readSmallFile(found.real, maxBytes)
  if (problem !== undefined)
    return { fault: { file: path, message: `it ${problem}`, repair: 'put a small text file there' } }
  return { text: text ?? '' }
}
