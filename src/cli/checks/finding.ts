import { accessSync, constants, readdirSync } from 'node:fs'
import type { Context } from '../context/context.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  readonly next?: string
}

/** Reports findings; never throws because of what it finds. */
export type Check = (context: Context) => readonly Finding[] | Promise<readonly Finding[]>

export const ok = (check: string, text: string): Finding => ({ check, state: 'ok', text })
export const warn = (check: string, text: string, next: string): Finding => ({ check, state: 'warn', text, next })
export const fail = (check: string, text: string, next: string): Finding => ({ check, state: 'fail', text, next })
/** Returns the findings, or one "ok" finding if there are none. */
export const orOk = (check: string, fine: string, findings: readonly Finding[]): readonly Finding[] =>
  findings.length === 0 ? [ok(check, fine)] : findings

/** Reports an error that prevents a check as a finding of its own. */
export function guarded(check: string, look: () => readonly Finding[]): readonly Finding[] {
  try {
    return look()
  } catch (error) {
    return [notChecked(check, error)]
  }
}

export const notChecked = (check: string, error: unknown): Finding => {
  const { code, message } = error as NodeJS.ErrnoException
  const isClosed = code === 'EACCES' || code === 'EPERM'
  const next = isClosed ? 'give the runtime user access to that path' : 'correct that, then run hermes doctor again'
  return fail(check, `cannot be checked: ${message}`, next)
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    // EACCES or EROFS: not writable.
    return false
  }
}

/** @returns the names in a directory; empty if it is missing or cannot be read */
export function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    // Missing or unreadable: the volume check reports it.
    return []
  }
}
