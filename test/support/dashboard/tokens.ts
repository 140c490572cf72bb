/** API tokens of a home, written as the command does, without a process. */
import { volumeTokenFile } from '../../../src/access/place.ts'
import type { Scope } from '../../../src/access/scope.ts'
import { makeToken } from '../../../src/access/token.ts'
import { changeTokens } from '../../../src/access/token-store.ts'
import { systemClock } from '../../../src/system/clock.ts'

export interface TokenWish {
  readonly name: string
  /** Default: admin. */
  readonly scope?: Scope
  /** Default: all. */
  readonly profiles?: readonly string[] | null
}

/** @returns its text */
export async function giveToken(home: string, { name, scope = 'admin', profiles = null }: TokenWish): Promise<string> {
  const clock = systemClock()
  return changeTokens(volumeTokenFile(home), clock, (known) => {
    const { token, text } = makeToken({ name, scope, profiles, expiresInMs: undefined }, new Set(), clock.wallMs())
    return { tokens: [...known, token], result: text }
  })
}

export const takeToken = (home: string, name: string): Promise<void> =>
  changeTokens(volumeTokenFile(home), systemClock(), (known) => ({
    tokens: known.filter((token) => token.name !== name),
    result: undefined,
  }))
