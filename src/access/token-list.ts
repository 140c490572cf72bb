/** The file of the tokens, as text. Pure. */
import { DEFAULT_PROFILE, isProfileName } from '../profile/names.ts'
import { isScope } from './scope.ts'
import type { Token } from './token.ts'

const VERSION = 1

export type TokenList =
  | { readonly tokens: readonly Token[]; readonly problem?: undefined }
  | { readonly tokens?: undefined; readonly problem: string }

export const tokensText = (tokens: readonly Token[]): string =>
  `${JSON.stringify({ version: VERSION, tokens }, null, 1)}\n`

/**
 * Reads the list. One wrong entry makes all of it invalid: a list that something has damaged must not decide who may
 * do what.
 * @param text undefined or empty: there are no tokens
 */
export function parseTokens(text: string | undefined): TokenList {
  if (text === undefined || text === '') return { tokens: [] }
  let value: { readonly version?: unknown; readonly tokens?: unknown } | null
  try {
    value = JSON.parse(text) as typeof value
  } catch {
    return { problem: 'is damaged: it is not JSON' }
  }
  if (value?.version !== VERSION || !Array.isArray(value.tokens))
    return { problem: 'is damaged, or from a newer version' }
  const tokens = value.tokens.filter(isToken)
  if (tokens.length < value.tokens.length) return { problem: 'is damaged: an entry is not a token' }
  if (new Set(tokens.map(({ id }) => id)).size < tokens.length) return { problem: 'is damaged: an id is there twice' }
  return { tokens }
}

export const isTokenName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)

function isToken(value: unknown): value is Token {
  const { id, name, hash, scope, profiles, created_at, expires_at } = (value ?? {}) as {
    [key in keyof Token]?: unknown
  }
  return (
    matches(id, /^[0-9a-f]{8}$/) &&
    typeof name === 'string' &&
    isTokenName(name) &&
    matches(hash, /^[0-9a-f]{64}$/) &&
    isScope(scope) &&
    (profiles === null || (Array.isArray(profiles) && profiles.length > 0 && profiles.every(isProfile))) &&
    isInstant(created_at) &&
    (expires_at === null || isInstant(expires_at))
  )
}

const matches = (value: unknown, pattern: RegExp): boolean => typeof value === 'string' && pattern.test(value)
const isProfile = (value: unknown): boolean =>
  typeof value === 'string' && (value === DEFAULT_PROFILE || isProfileName(value))
const isInstant = (value: unknown): boolean => typeof value === 'string' && Number.isFinite(Date.parse(value))
