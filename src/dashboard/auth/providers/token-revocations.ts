import type { RedirectProvider } from './provider.ts'

/**
 * Notifies providers of log-outs in the background, so that a user who logs out does not wait for a provider that
 * hangs.
 */
export class TokenRevocations {
  readonly #pending = new Set<Promise<void>>()

  /**
   * Revokes a refresh token.
   * @param refreshToken resolves to undefined if there is none
   * @param failed called with the reason why the provider may still accept it
   */
  revoke(
    provider: RedirectProvider,
    refreshToken: Promise<string | undefined>,
    failed: (reason: string) => void,
  ): void {
    const revocation = refreshToken
      .then((token) => (token === undefined ? undefined : provider.revoke(token)))
      .catch((error: Error) => failed(error.message))
      .finally(() => this.#pending.delete(revocation))
    this.#pending.add(revocation)
  }

  /** Resolves when nothing is pending; a closed provider delays nothing. */
  async close(): Promise<void> {
    await Promise.all(this.#pending)
  }
}
