import { readFileSync, writeFileSync } from 'node:fs'
import { accountRows } from '../../system/files/accounts.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'

/** The files that give ids their names. */
export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

export const SYSTEM_ACCOUNTS: AccountFiles = { passwd: '/etc/passwd', group: '/etc/group' }

export interface Account {
  readonly user: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** @param passwd text of /etc/passwd @returns undefined if no account has this id */
export function userOf(passwd: string, uid: number): { readonly user: string; readonly home: string } | undefined {
  const found = accountRows(passwd).find(([, , id]) => id === String(uid))
  return found && { user: found[0] ?? String(uid), home: found[5] ?? '/' }
}

/**
 * Returns /etc/passwd with this account in it, above other accounts with its uid: tools take the first name they
 * find.
 */
export function withUser(passwd: string, { user, uid, gid, home }: Account): string {
  const lines = linesOf(passwd)
  const own = lines.find((line) => line.startsWith(`${user}:`))
  const [, password = 'x', , , comment = 'Hermes', ownHome = home, shell = '/bin/sh'] = own?.split(':') ?? []
  const line = [user, password, uid, gid, comment, ownHome, shell].join(':')
  return withLine(lines, line, user, uid)
}

/** The same for /etc/group. */
export function withGroup(group: string, { user, gid }: Account): string {
  const lines = linesOf(group)
  const [, password = 'x', , members = ''] = lines.find((line) => line.startsWith(`${user}:`))?.split(':') ?? []
  return withLine(lines, [user, password, gid, members].join(':'), user, gid)
}

function withLine(lines: readonly string[], line: string, name: string, id: number): string {
  const others = lines.filter((other) => !other.startsWith(`${name}:`))
  const idOf = (other: string): string | undefined => other.split(':')[2]
  const place = lines.findIndex((other) => other.startsWith(`${name}:`))
  const namesake = others.findIndex((other) => idOf(other) === String(id))
  const at = Math.min(place === -1 ? others.length : place, namesake === -1 ? others.length : namesake)
  return [...others.slice(0, at), line, ...others.slice(at), ''].join('\n')
}

const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

/**
 * Gives the runtime ids their name. Files that already say so are not touched.
 * @returns a line for people when a file could not be changed (a read-only root); everything works, tools print numbers
 */
export function nameIdentity(account: Account, files: AccountFiles): string | undefined {
  try {
    rewrite(files.passwd, (text) => withUser(text, account))
    rewrite(files.group, (text) => withGroup(text, account))
    return undefined
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    return `${path ?? files.passwd} cannot be changed (${code}): uid ${account.uid} may have another name or none in this container`
  }
}

function rewrite(file: string, change: (text: string) => string): void {
  const text = readFileSync(file, 'utf8')
  const changed = change(text)
  if (changed === text) return
  try {
    replaceFileSync(file, changed, { mode: 0o644 })
  } catch (error) {
    // A file that is a mount of its own can only be written in place.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw Object.assign(error as Error, { path: file })
    writeFileSync(file, changed)
  }
}
