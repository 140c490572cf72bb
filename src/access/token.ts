/** API tokens of the dashboard: their text, which is shown once, and the stored part. Pure but for randomness. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Rights, Scope } from './scope.ts'

/** Distinguishes our tokens from other bearers; scanners of leaked secrets search for it, too. */
export const TOKEN_PREFIX = 'hermes_'
const FORM = /^hermes_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/
const SECRET_BYTES = 32
/** Compared with the digest of a token whose id is unknown, so that an unknown id takes as long as a known one. */
const NO_HASH = '0'.repeat(64)

/** The stored part of a token. Times are RFC 3339 UTC. */
export interface Token {
  /** 8 hex digits; the middle part of its text. */
  readonly id: string
  readonly name: string
  /** SHA-256 of its text, in hex. */
  readonly hash: string
  readonly scope: Scope
  /** null: all profiles. */
  readonly profiles: readonly string[] | null
  readonly created_at: string
  /** null: never. */
  readonly expires_at: string | null
}

export interface TokenWish {
  readonly name: string
  readonly scope: Scope
  readonly profiles: readonly string[] | null
  /** Undefined: it never expires. */
  readonly expiresInMs: number | undefined
}

/** @param taken ids of other tokens. @returns the token, and its text, which is stored nowhere */
export function makeToken(
  { name, scope, profiles, expiresInMs }: TokenWish,
  taken: ReadonlySet<string>,
  wallMs: number,
): { readonly token: Token; readonly text: string } {
  let id: string
  do id = randomBytes(4).toString('hex')
  while (taken.has(id))
  const text = `${TOKEN_PREFIX}${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
  const token = {
    id,
    name,
    hash: digest(text).toString('hex'),
    scope,
    profiles,
    created_at: new Date(wallMs).toISOString(),
    expires_at: expiresInMs === undefined ? null : new Date(wallMs + expiresInMs).toISOString(),
  }
  return { token, text }
}

/** The token with this text, expired or not. The time that it takes reveals nothing about the secret part. */
export function findToken(tokens: readonly Token[], text: string): Token | undefined {
  const [, id] = FORM.exec(text) ?? []
  const found = tokens.find((token) => token.id === id)
  const isRight = timingSafeEqual(digest(text), Buffer.from(found?.hash ?? NO_HASH, 'hex'))
  return isRight ? found : undefined
}

export const isExpired = ({ expires_at }: Pick<Token, 'expires_at'>, wallMs: number): boolean =>
  expires_at !== null && wallMs >= Date.parse(expires_at)

export const rightsOf = ({ scope, profiles }: Token): Rights => ({
  scope,
  profiles: profiles === null ? undefined : new Set(profiles),
})

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
