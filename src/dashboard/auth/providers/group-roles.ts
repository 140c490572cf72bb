/** The role of a provider's user, by the user's groups. Pure. */
import { ROLES, scopeOfRole } from '../../../access/role.ts'
import { SCOPES, type Scope } from '../../../access/scope.ts'
import { misconfigured } from '../../settings/settings.ts'
import { NoRole } from './provider.ts'

export interface GroupRoles {
  /** Name of the claim with the groups. */
  readonly claim: string
  /** Changes with the roles. */
  readonly print: string
  /** @param groups value of the claim; undefined: the provider has not sent it. @throws NoRole */
  readonly scopeOf: (groups: unknown) => Scope
}

const VARIABLE = 'HERMES_DASHBOARD_OIDC_ROLES'

/**
 * @returns undefined where no roles are configured: every user may do everything
 * @throws HermesError with exit code 78 for an unknown role
 */
export function groupRoles(setting: (name: string) => string | undefined): GroupRoles | undefined {
  const text = setting('OIDC_ROLES')
  if (text === undefined) return undefined
  const claim = setting('OIDC_GROUPS_CLAIM') ?? 'groups'
  const scopes = new Map<string, Scope>()
  for (const part of text.split(/[,\n]/).map((one) => one.trim())) {
    if (part === '') continue
    // A group can be a path or a distinguished name, with signs of equality of its own.
    const [, group = '', role = ''] = /^(.*\S)\s*=\s*(\S*)$/.exec(part) ?? []
    const scope = scopeOfRole(role)
    if (group === '' || scope === undefined)
      throw misconfigured(
        `${VARIABLE}: expected GROUP=ROLE, got ${JSON.stringify(part.slice(0, 80))}`,
        `use one of the roles ${ROLES.join(', ')}, and commas between the groups`,
      )
    scopes.set(group, highest([scope, scopes.get(group)]) ?? scope)
  }
  if (scopes.size === 0) throw misconfigured(`${VARIABLE} has no group`, 'add GROUP=ROLE, or unset it')
  return {
    claim,
    print: `${claim}\0${text}`,
    scopeOf(groups) {
      if (groups === undefined) throw new NoRole(`the provider sent no claim "${claim}", which ${VARIABLE} needs`)
      const names: readonly unknown[] = Array.isArray(groups) ? groups : [groups]
      const found = highest(names.map((name) => (typeof name === 'string' ? scopes.get(name) : undefined)))
      if (found === undefined) throw new NoRole(`no group of the user has a role in ${VARIABLE}`)
      return found
    },
  }
}

const highest = (scopes: readonly (Scope | undefined)[]): Scope | undefined =>
  SCOPES.findLast((scope) => scopes.includes(scope))
