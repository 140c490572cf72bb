import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { CheckedProgram, Fault } from '../facts.ts'
import { type Trusted, trusted } from './trust.ts'

const RUN_BITS = 0o111
/** The kernel reads no more of an interpreter line (BINPRM_BUF_SIZE). */
const LINE_BYTES = 256
/** Interpreters that start the program named after them. */
const STARTERS = new Set(['env', 'with-contenv'])

export interface ProgramFacts {
  /** PATH in which names are looked up. */
  readonly path: string
  /** Only root may be able to change it; else it is enough that it is there. */
  readonly asRoot: boolean
}

/** A program that may be run by its path: there, executable, and its interpreter too. @returns undefined: there is none */
export function checkProgram(file: string, facts: ProgramFacts): CheckedProgram | undefined {
  const found = facts.asRoot ? trusted(file) : readable(file)
  if (found === undefined) return undefined
  if ('fault' in found) return { file, fault: found.fault }
  const fault = found.status.isFile()
    ? (runBitFault(file, found.status.mode) ?? interpreterFault(file, found.real, facts))
    : { file, message: 'it is no regular file', repair: 'put a program there' }
  return fault === undefined ? { file } : { file, fault }
}

/** By its whole path, or by its name on PATH. */
export function findProgram(word: string, facts: ProgramFacts): CheckedProgram | undefined {
  if (word.startsWith('/')) return checkProgram(word, facts)
  if (word.includes('/')) return undefined
  for (const dir of facts.path.split(':').filter((one) => one.startsWith('/'))) {
    const found = checkProgram(join(dir, word), facts)
    if (found !== undefined) return found
  }
  return undefined
}

/** The directories of a PATH that only root can change: what runs as root looks nowhere else. */
export const rootPathOf = (path: string): string =>
  path
    .split(':')
    .filter((dir) => {
      const found = dir.startsWith('/') ? trusted(dir) : undefined
      return found !== undefined && 'real' in found
    })
    .join(':')

/** What need not be root's: it is there, whoever may change it. @returns undefined also for what we may not look at */
function readable(file: string): Trusted | undefined {
  try {
    accessSync(file, constants.R_OK)
    return { real: file, status: statSync(file) }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

const runBitFault = (file: string, mode: number): Fault | undefined =>
  (mode & RUN_BITS) !== 0 ? undefined : { file, message: 'it is not executable', repair: `chmod +x ${file}` }

function interpreterFault(file: string, real: string, facts: ProgramFacts): Fault | undefined {
  const head = headOf(real)
  if (head.startsWith('\x7fELF')) return undefined
  const wrong = (message: string, repair: string): Fault => ({ file, message, repair })
  const line = /^#![ \t]*(\S+)[ \t]*([^\n]*)/.exec(head)
  if (line === null) return wrong('it has no interpreter line', 'begin it with #!/bin/sh')
  const [, interpreter = '', args = ''] = line
  const found = checkProgram(interpreter, facts)
  if (found === undefined)
    return wrong(`its interpreter ${interpreter} does not exist`, `install it, or name another in the first line`)
  if (found.fault !== undefined) return found.fault
  const started = STARTERS.has(basename(interpreter))
    ? args.split(/\s+/).find((word) => /^[^-][^=]*$/.test(word))
    : undefined
  const target = started === undefined ? undefined : findProgram(started, facts)
  if (started !== undefined && target === undefined)
    return wrong(
      `its interpreter ${started} is not on PATH (${facts.path})`,
      'install it, or name another in the first line',
    )
  return target?.fault
}

function headOf(file: string): string {
  // Whoever may change it could have put a FIFO there since we looked.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const buffer = Buffer.alloc(LINE_BYTES)
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } finally {
    closeSync(fd)
  }
}
