/** Writes the changes that commands make to the audit log. */
import { existsSync, statSync } from 'node:fs'
import { type Change, DONE } from '../../access/audit-entry.ts'
import { AuditFile } from '../../access/audit-file.ts'
import { HermesError } from '../../system/errors.ts'
import { homePaths } from '../../system/paths.ts'
import type { Outcome } from '../terminal/output.ts'
import { changeBy } from './changes.ts'
import type { Command, Input } from './command.ts'
import { type Context, warnOn } from './context.ts'

/** Runs a command; if it changes anything, one line says how that ended. */
export async function runRecorded(context: Context, command: Command, input: Input): Promise<Outcome> {
  const change = changeBy(command.path, input)
  if (change === undefined) return command.run(context, input)
  // Before the command: it may remove the profile.
  const profile = change.ofProfile ? profileName(context) : undefined
  const record = (result: string, made?: unknown): Promise<void> =>
    write(context, {
      actor: context.actor(),
      via: 'cli',
      action: change.action,
      target: [profile, change.madeByIt ? nameOf(made) : change.target].filter((part) => part).join(' ') || null,
      result,
    })
  let outcome: Outcome
  try {
    outcome = await command.run(context, input)
  } catch (error) {
    const code = error instanceof HermesError ? error.code : 'FAILED'
    // Nothing was tried.
    if (code !== 'USAGE') await record(code.toLowerCase())
    throw error
  }
  const { exitCode = 0, json } = outcome
  await record(exitCode === 0 ? DONE : `exit ${exitCode}`, json)
  return outcome
}

async function write(context: Context, change: Change): Promise<void> {
  const warn = warnOn(context)
  const { home, logs } = homePaths(context.home)
  // A failure must not begin a home: a restore needs an empty one.
  if (!existsSync(change.result === DONE ? home : logs)) return
  try {
    await context.dropRoot()
  } catch (error) {
    return warn(`${(error as Error).message}; this change is not in the audit log`)
  }
  // The user of a walled profile may not write there, and need not be reminded at each command.
  new AuditFile({ ...context, warn: isForeign(home) ? () => undefined : warn }).write(change)
}

/** Neither root's nor ours. */
const isForeign = (home: string): boolean => {
  const owner = statSync(home, { throwIfNoEntry: false })?.uid
  return process.geteuid?.() !== 0 && owner !== undefined && owner !== process.geteuid?.()
}

/** @returns the name as it was typed, if there is no such profile */
function profileName(context: Context): string | undefined {
  try {
    return context.profile().name
  } catch {
    return context.requestedProfile
  }
}

/** Name or id of what a command has made, from its answer for programs. */
function nameOf(made: unknown): string | undefined {
  const { name, id } = (made ?? {}) as { readonly name?: unknown; readonly id?: unknown }
  return [name, id].find((text) => typeof text === 'string') as string | undefined
}
