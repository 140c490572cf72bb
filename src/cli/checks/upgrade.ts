/** Tells what this version would change in a home, and what keeps it from using one. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sessionsChanges, sessionsFile } from '../../gateway/sessions/store.ts'
import { boardChanges } from '../../kanban/sqlite/schema.ts'
import { listBoards } from '../../kanban/store/places.ts'
import { requireLedger, usageFile } from '../../meter/ledger/ledger.ts'
import { configProblemText, loadConfig } from '../../profile/config/config.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { hasCode } from '../../system/error-code.ts'
import { HermesError } from '../../system/errors.ts'
import type { Database } from '../../system/files/sqlite.ts'
import { lookAtDatabase } from '../../system/files/sqlite-look.ts'

/** One file, or one problem of it. */
export type FileLook = { readonly path: string } & (
  | {
      /** Columns and tables that are added when it is opened; an earlier version does not mind them. */
      readonly adds: readonly string[]
    }
  | { readonly problem: string; readonly next: string }
)

/**
 * Looks at every file whose form depends on the version: boards, conversations, usage, settings. Boards in a database
 * are not among them.
 */
export function lookAtHome(home: string): readonly FileLook[] {
  const { profiles } = listProfiles(home)
  return [
    ...listBoards(home).flatMap(({ file }) => database(file, boardChanges)),
    ...profiles.flatMap(({ dir }) => database(sessionsFile(dir), sessionsChanges)),
    ...database(usageFile(home), (opened, file) => {
      requireLedger(opened, file)
      return []
    }),
    ...profiles.flatMap(({ name, dir }) => settings(name, join(dir, 'config.yaml'))),
  ]
}

function database(file: string, changes: (database: Database, file: string) => readonly string[]): readonly FileLook[] {
  try {
    const adds = lookAtDatabase(file, (opened) => changes(opened, file))
    return adds === undefined ? [] : [{ path: file, adds }]
  } catch (error) {
    return [problemOf(file, error, 'restore a backup of it')]
  }
}

/** One file that cannot be read keeps no other from being looked at. */
const problemOf = (path: string, error: unknown, next: string): FileLook =>
  error instanceof HermesError
    ? { path, problem: error.message, next: error.next ?? next }
    : { path, problem: `${path} cannot be read: ${(error as Error).message}`, next: `run the command as its owner` }

function settings(profile: string, file: string): readonly FileLook[] {
  if (!existsSync(file)) return []
  let problems: ReturnType<typeof loadConfig>['problems']
  try {
    problems = loadConfig(file).problems
  } catch (error) {
    return [problemOf(file, error, `hermes -p ${profile} config edit`)]
  }
  if (problems.length === 0) return [{ path: file, adds: [] }]
  const next = `hermes -p ${profile} config edit`
  return problems.map((problem) => ({ path: file, problem: configProblemText(problem), next }))
}

/** @throws HermesError FAILED: there is nothing to look at */
export function requireHome(home: string): void {
  const problem = homeProblem(home)
  if (problem !== undefined) throw new HermesError('FAILED', `${home} ${problem}`, { next: 'set HERMES_HOME' })
}

function homeProblem(home: string): string | undefined {
  try {
    return readdirSync(home).length === 0 ? 'is empty' : undefined
  } catch (error) {
    return hasCode(error, 'ENOENT') ? 'does not exist' : `cannot be read: ${(error as Error).message}`
  }
}
