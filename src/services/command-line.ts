/** The command line in a oneshot's `up` and `down`, in execline's language; a line of plain words needs no execline. */
import type { Fault } from '../system/files/trust.ts'
import type { CommandFacts } from './facts.ts'

export type ServiceCommand = { readonly argv: readonly string[] } | { readonly fault: Fault }

/** @param file where `text` stands; execlineb reads it there */
export function oneshotCommand(text: string, file: string, facts: CommandFacts): ServiceCommand {
  const plain = splitCommand(text)
  if (plain === undefined) {
    if (facts.execlineb !== undefined) return { argv: [facts.execlineb, '-P', file] }
    return fault(
      file,
      'it is written in execline, and this image has no execlineb',
      'install execline, or put only the path of a script into the file',
    )
  }
  const [program, ...args] = plain
  if (program === undefined) return { argv: [] }
  const found = facts.check(plain, '/')
  // A program that is not on PATH may be one of execline's own commands.
  if (found === undefined && facts.execlineb !== undefined) return { argv: [facts.execlineb, '-P', file] }
  if (found === undefined) return fault(file, `there is no program ${program}`, 'use the whole path of a program')
  return found.fault === undefined ? { argv: [found.file, ...args] } : { fault: found.fault }
}

const fault = (file: string, message: string, repair: string): ServiceCommand => ({ fault: { file, message, repair } })

/**
 * Splits a command line without blocks, substitutions and backslashes, which means the same to execline and to us:
 * words separated by white space, comments from # to the end of the line, "…" around words with spaces.
 * @returns undefined for anything else
 */
export function splitCommand(text: string): readonly string[] | undefined {
  const argv: string[] = []
  let rest = text
  for (;;) {
    rest = rest.replace(/^(?:\s+|#[^\n]*)+/, '')
    if (rest === '') return argv
    const token = /^(?:"([^"\\$]*)"|([^\s"\\${}#]+))(?=\s|$)/.exec(rest)
    if (token === null) return undefined
    argv.push(token[1] ?? token[2] ?? '')
    rest = rest.slice(token[0].length)
  }
}
