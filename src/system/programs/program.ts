import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { hasCode } from '../error-code.ts'
import type { Fault, Trusted } from '../files/trust.ts'
import { scriptArgument } from './script-argument.ts'

const RUN_BITS = 0o111
/** The kernel reads no more of an interpreter line (BINPRM_BUF_SIZE). */
const LINE_BYTES = 256
/** Interpreters that start the program named after them. */
const STARTERS = new Set(['env', 'with-contenv'])

export type CheckedProgram = {
  readonly file: string
  readonly fault?: Fault
  /** Command that runs a file without a run bit, from its interpreter line. */
  readonly through?: readonly string[]
}

export interface ProgramFacts {
  /** PATH in which names are looked up. */
  readonly path: string
  /** Rule for untrusted writers: `trusted`, `readable`. */
  readonly look: (file: string) => Trusted | undefined
  /** A script needs no run bit: it is started through its interpreter. */
  readonly withoutRunBit?: true
}

/**
 * A program that may be run by its path: there, executable, and its interpreter too. @returns undefined: there is none
 */
export function checkProgram(file: string, facts: ProgramFacts): CheckedProgram | undefined {
  const found = facts.look(file)
  if (found === undefined) return undefined
  if ('fault' in found) return { file, fault: found.fault }
  if (!found.status.isFile())
    return { file, fault: { file, message: 'it is not a regular file', repair: 'put a program there' } }
  const { withoutRunBit, ...others } = facts
  const bit = runBitFault(file, found.status.mode)
  const through = bit !== undefined && withoutRunBit ? interpreterCommand(headOf(found.real)) : undefined
  const fault = (through === undefined ? bit : undefined) ?? interpreterFault(file, found.real, others)
  return { file, ...(fault !== undefined && { fault }), ...(through !== undefined && { through }) }
}

/**
 * Detects a script whose interpreter line ends in CRLF: the kernel, or env, takes the carriage return as part of a
 * name.
 * @returns undefined also for files that cannot be read
 */
export function crlfFault(file: string): Fault | undefined {
  try {
    return crlfFaultOf(file, headOf(file))
  } catch {
    return undefined // the attempt to run it shows why
  }
}

/** Finds a program by its whole path, or by its name on PATH. */
export function findProgram(name: string, facts: ProgramFacts): CheckedProgram | undefined {
  if (name.startsWith('/')) return checkProgram(name, facts)
  if (name.includes('/')) return undefined
  for (const dir of facts.path.split(':').filter((one) => one.startsWith('/'))) {
    const found = checkProgram(join(dir, name), facts)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Checks the program of a command line and, as far as the args reveal it, the program that this one runs: the
 * argument of `env`, the script of a shell. It helps honest authors; the meaning of a program's other arguments is
 * unknown here.
 */
export function checkCommand(
  [name = '', ...args]: readonly string[],
  directory: string,
  facts: ProgramFacts,
): CheckedProgram | undefined {
  const program = findProgram(name, facts)
  if (program === undefined || program.fault !== undefined) return program
  const base = basename(name)
  if (STARTERS.has(base)) {
    const first = programIndex(args)
    const started = first < 0 ? undefined : checkCommand(args.slice(first), directory, facts)
    return started?.fault === undefined ? program : { ...program, fault: started.fault }
  }
  const script = scriptArgument(base, args)
  const found = script === undefined ? undefined : facts.look(resolve(directory, script))
  if (found === undefined || !('fault' in found) || !found.fault.untrusted) return program
  const { file, message } = found.fault
  const fault = {
    file: resolve(directory, script ?? ''),
    message: `${file}: ${message}`,
    repair: 'let root run a script that only root can change, or run it as another user',
  }
  return { ...program, fault }
}

/** Options of env(1) that take the next argument as their value. */
const OPTIONS_WITH_VALUE = new Set(['-u', '--unset', '-C', '--chdir'])

/**
 * Index of the program among the arguments of env: neither an option, nor an option's value, nor an assignment.
 * @returns -1: none
 */
const programIndex = (args: readonly string[]): number =>
  args.findIndex((arg, at) => /^[^-][^=]*$/.test(arg) && !OPTIONS_WITH_VALUE.has(args[at - 1] ?? ''))

/**
 * Checks a program that need not belong to root: it exists, no matter which users can change it. @returns undefined
 * also for files that we may not examine
 */
export function readable(file: string): Trusted | undefined {
  try {
    accessSync(file, constants.R_OK)
    return { real: file, status: statSync(file) }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return undefined
    throw error
  }
}

/**
 * Splits the line like the kernel: the interpreter, and the rest as one argument (execve(2)). @returns undefined: no
 * interpreter line
 */
function interpreterCommand(head: string): readonly string[] | undefined {
  const line = /^#![ \t]*(\S+)[ \t]*([^\n]*)/.exec(head)
  return line === null ? undefined : [line[1], line[2]?.trimEnd()].filter((arg): arg is string => Boolean(arg))
}

const crlfFaultOf = (file: string, head: string): Fault | undefined =>
  /^#![^\n]*\r(?:\n|$)/.test(head)
    ? { file, message: 'its lines end in CRLF', repair: `save it with LF line ends: sed -i 's/\\r$//' ${file}` }
    : undefined

const runBitFault = (file: string, mode: number): Fault | undefined =>
  (mode & RUN_BITS) !== 0 ? undefined : { file, message: 'it is not executable', repair: `chmod +x ${file}` }

function interpreterFault(file: string, real: string, facts: ProgramFacts): Fault | undefined {
  const head = headOf(real)
  if (head.startsWith('\x7fELF')) return undefined
  const crlf = crlfFaultOf(file, head)
  if (crlf !== undefined) return crlf
  const wrong = (message: string, repair: string): Fault => ({ file, message, repair })
  const line = /^#![ \t]*(\S+)[ \t]*([^\n]*)/.exec(head)
  if (line === null) return wrong('it has no interpreter line', 'begin it with #!/bin/sh')
  const [, interpreter = '', rest = ''] = line
  const found = checkProgram(interpreter, facts)
  if (found === undefined)
    return wrong(`its interpreter ${interpreter} does not exist`, `install it, or name another in the first line`)
  if (found.fault !== undefined) return found.fault
  const args = rest.split(/\s+/)
  const started = STARTERS.has(basename(interpreter)) ? args[programIndex(args)] : undefined
  const target = started === undefined ? undefined : findProgram(started, facts)
  if (started !== undefined && target === undefined)
    return wrong(
      `its interpreter ${started} is not on PATH (${facts.path})`,
      'install it, or name another in the first line',
    )
  return target?.fault
}

function headOf(file: string): string {
  // A user who can change it could have put a FIFO there since our check.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const buffer = Buffer.alloc(LINE_BYTES)
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } finally {
    closeSync(fd)
  }
}
