/** The ids of this container for walled profiles, or why there can be none. */
import { readFileSync } from 'node:fs'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { accountId, accountRows } from '../../system/files/accounts.ts'
import type { Environment } from '../../system/programs/install.ts'
import { parseRange, rangeProblem, type UidRange } from '../../walls/range.ts'
import type { AccountFiles } from './accounts.ts'
import { missingForWalls } from './identity.ts'

export const UIDS_VARIABLE = 'HERMES_PROFILE_UIDS'

export interface WallsFacts {
  readonly range: UidRange
  /** Why no profile can be walled here. */
  readonly obstacle?: string
}

export interface WallsSources {
  readonly env: Environment
  /** Root is dropped on the way to the slots. */
  readonly dropped: boolean
  readonly identity: RuntimeIdentity
  /** Text of /proc/self/status. */
  readonly status: string
  readonly accounts: AccountFiles
}

/**
 * @returns undefined where the variable is not set or empty
 * @throws HermesError for a value that is not a range, or is taken
 */
export function wallsFacts({ env, dropped, identity, status, accounts }: WallsSources): WallsFacts | undefined {
  const text = env[UIDS_VARIABLE]
  if (text === undefined || text === '') return undefined
  const range = parseRange(text)
  if (typeof range === 'string') throw refused(range)
  if (!dropped) return { range, obstacle: 'init is not root, so it cannot become another user' }
  const problem = rangeProblem(range, {
    uid: identity.uid,
    gid: identity.gid,
    accounts: [...idsIn(accounts.passwd), ...idsIn(accounts.group)],
    idMaps: ['/proc/self/uid_map', '/proc/self/gid_map'].map(textOf),
  })
  if (problem !== undefined) throw refused(problem)
  const missing = missingForWalls(status)
  if (missing.length > 0)
    return { range, obstacle: `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing` }
  // A walled profile could give a file of another user a second name in its own directory (proc_sys_fs(5)).
  return textOf('/proc/sys/fs/protected_hardlinks').trim() === '0'
    ? { range, obstacle: 'fs.protected_hardlinks is 0 on this machine; set it to 1 on the host' }
    : { range }
}

const refused = (why: string): HermesError =>
  new HermesError('USAGE', `${UIDS_VARIABLE}: ${why}`, {
    next: 'name ids that no user and no group of the image has (docs/walls.md)',
    exitCode: EXIT.failed,
  })

/** Users and groups are in rows of the same form: the third field is the id. */
const idsIn = (file: string): readonly { readonly name: string; readonly id: number }[] =>
  accountRows(textOf(file)).flatMap(([name = '', , text]) => {
    const id = accountId(text)
    return id === undefined ? [] : [{ name, id }]
  })

const textOf = (file: string): string => unlessCode(['ENOENT'], () => readFileSync(file, 'latin1'), '')
