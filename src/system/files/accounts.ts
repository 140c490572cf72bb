/** Rows of /etc/passwd and /etc/group, as lists of their fields (passwd(5), group(5)). */
export type AccountRow = readonly string[]

/** @param text content of one of the two files */
export const accountRows = (text: string): readonly AccountRow[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'))

/** Ids have 32 bits, and the largest stands for none: setpriv would cut 4294967296 to root's 0. */
const MAX_ID = 2 ** 32 - 2

/** A uid or gid of such a row; undefined for any other text. */
export const accountId = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined

/** The groups that name this user as a member; its primary group need not. */
export const groupsOfMember = (groups: readonly AccountRow[], user: string): readonly number[] =>
  groups.filter(([, , , members]) => members?.split(',').includes(user)).flatMap(([, , gid]) => accountId(gid) ?? [])
