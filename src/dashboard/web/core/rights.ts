/** Rights of the user of the page. The server decides; the page only hides what would be refused. */
import type { Me } from '../../contract/access.ts'

export type Scope = Me['scope']

/** Each includes the ones before it. */
const SCOPES: readonly Scope[] = ['read', 'board', 'operate', 'admin']

/** @param text undefined and unknown: the least */
export const scopeOf = (text: string | undefined): Scope => SCOPES.find((scope) => scope === text) ?? 'read'

export const covers = (has: Scope, needs: Scope): boolean => SCOPES.indexOf(has) >= SCOPES.indexOf(needs)
