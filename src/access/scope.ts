/** Rights of a caller of the dashboard: how much, and for which profiles. Pure. */

/** Each includes the ones before it. */
export const SCOPES = ['read', 'board', 'operate', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export const isScope = (text: unknown): text is Scope => SCOPES.some((scope) => scope === text)

export const covers = (has: Scope, needs: Scope): boolean => SCOPES.indexOf(has) >= SCOPES.indexOf(needs)

export interface Rights {
  readonly scope: Scope
  /** The profiles that the caller may see; undefined: all of them, and what belongs to no profile. */
  readonly profiles: ReadonlySet<string> | undefined
}

/** @param profile undefined: something that belongs to no profile, such as a helper */
export const sees = ({ profiles }: Pick<Rights, 'profiles'>, profile: string | undefined): boolean =>
  profiles === undefined || (profile !== undefined && profiles.has(profile))

/** Of a stranger: nothing is left of any list. */
export const NOTHING: Pick<Rights, 'profiles'> = { profiles: new Set() }
