/** Roles of people, each with the scope of the same rights. Pure. */
import type { Scope } from './scope.ts'

const SCOPE_OF = { viewer: 'read', member: 'board', operator: 'operate', admin: 'admin' } as const satisfies Record<
  string,
  Scope
>

export const ROLES: readonly string[] = Object.keys(SCOPE_OF)

/** @returns undefined for a text that is not a role */
export const scopeOfRole = (role: string): Scope | undefined =>
  Object.hasOwn(SCOPE_OF, role) ? SCOPE_OF[role as keyof typeof SCOPE_OF] : undefined
