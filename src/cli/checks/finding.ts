import { accessSync, constants, readdirSync } from 'node:fs'
import type { Context } from '../context/context.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  readonly next?: string
}

/** Says what it found; never throws for what it finds. */
export type Check = (context: Context) => readonly Finding[] | Promise<readonly Finding[]>

export const ok = (check: string, text: string): Finding => ({ check, state: 'ok', text })
export const warn = (check: string, text: string, next: string): Finding => ({ check, state: 'warn', text, next })
export const fail = (check: string, text: string, next: string): Finding => ({ check, state: 'fail', text, next })
/** The findings, or that there is nothing to find. */
export const orFine = (check: string, fine: string, findings: readonly Finding[]): readonly Finding[] =>
  findings.length === 0 ? [ok(check, fine)] : findings

/** What keeps a check from looking is a finding like any other. */
export function guarded(check: string, look: () => readonly Finding[]): readonly Finding[] {
  try {
    return look()
  } catch (error) {
    return [unlooked(check, error)]
  }
}

export const unlooked = (check: string, error: unknown): Finding =>
  fail(check, `cannot be checked: ${(error as Error).message}`, 'give the user of hermes access to that path')

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    // EACCES, EROFS: that is the answer.
    return false
  }
}

/** @returns nothing where there is no directory, or one that cannot be read */
export function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    // Not there, or not readable: the check of the volume says so.
    return []
  }
}
