import type { RedirectProvider } from './provider.ts'

/** What providers are told of log-outs, in the background: whoever leaves does not wait for a provider that hangs. */
export class Farewells {
  readonly #pending = new Set<Promise<void>>()

  /**
   * Gives a refresh token back.
   * @param refreshToken comes to undefined where there is none
   * @param failed told why the provider may still have it
   */
  say(provider: RedirectProvider, refreshToken: Promise<string | undefined>, failed: (reason: string) => void): void {
    const said = refreshToken
      .then((token) => (token === undefined ? undefined : provider.revoke(token)))
      .catch((error: Error) => failed(error.message))
      .finally(() => this.#pending.delete(said))
    this.#pending.add(said)
  }

  /** Resolves when nothing is pending; a provider that was closed keeps nobody waiting. */
  async close(): Promise<void> {
    await Promise.all(this.#pending)
  }
}
