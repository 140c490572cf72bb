/** The one place that decides where the boards of an installation are kept. */
import { existsSync } from 'node:fs'
import type { Clock } from '../../system/clock.ts'
import { DATABASE_SECRET } from '../../system/dashboard-secrets.ts'
import { HermesError } from '../../system/errors.ts'
import { ownSecrets } from '../../system/files/secret-file.ts'
import { runPaths } from '../../system/paths.ts'
import type { Environment } from '../../system/programs/install.ts'
import { fileVariable } from '../../system/secret-variables.ts'
import { readIdentity } from '../nodes/identity.ts'
import type { Boards } from '../port/boards.ts'
import { FileBoards } from './file-boards.ts'
import { ServedBoards } from './served-boards.ts'

export interface BoardsFacts {
  readonly home: string
  readonly env: Environment
  /** The run directory of init, if there is one. */
  readonly runDir: string
  readonly clock: Clock
  /** Address of the database, if init has handed it over. */
  readonly database?: string | undefined
}

/**
 * In the database whose address this process has; through the dispatcher, if init has the address; else in files.
 * @throws HermesError REFUSED for an address that cannot be used
 */
export async function findBoards({ home, env, runDir, clock, database }: BoardsFacts): Promise<Boards> {
  const address = database ?? (env[DATABASE_SECRET] || undefined)
  if (address !== undefined) return boardsInDatabase(address, home)
  // Before the variable that names a file: `docker exec` brings it, and only root may read the file.
  const { boardDir, boardSocket } = runPaths(runDir, 'image')
  if (existsSync(boardDir)) return new ServedBoards(boardSocket, clock)
  const { [DATABASE_SECRET]: read } = ownSecrets(env, [DATABASE_SECRET])
  return read === undefined ? new FileBoards(home) : boardsInDatabase(read, home)
}

/** Tells whether boards are in a database, as {@link findBoards} decides it, without asking for its address. */
export const isInDatabase = ({ env, runDir }: Pick<BoardsFacts, 'env' | 'runDir'>): boolean =>
  existsSync(runPaths(runDir, 'image').boardDir) || Boolean(env[DATABASE_SECRET] || env[fileVariable(DATABASE_SECRET)])

/** Boards in the volume, also if the variable names a database. */
export const boardsInFiles = (home: string): Boards => new FileBoards(home)

/**
 * The client of PostgreSQL is loaded here; scripts/build.ts makes this a bundle of its own.
 * @param home the volume of the node that this process belongs to
 * @throws HermesError REFUSED for an address that cannot be used
 */
export async function boardsInDatabase(address: string, home?: string): Promise<Boards> {
  const { databaseBoards } = await import('../postgres/database-boards.ts')
  return databaseBoards(address, home === undefined ? undefined : () => ownId(home))
}

/** undefined: this process belongs to no node, or cannot read which; it then starts no workers. */
function ownId(home: string): string | undefined {
  try {
    return readIdentity(home)?.id
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return undefined // the dispatcher reports it
  }
}
