/** Ways to log in stand behind these interfaces; the rest of the dashboard knows no other. */

/** Whom a provider vouches for. */
export interface Identity {
  /** Stable for a provider: its subject, or the name of the user. */
  readonly subject: string
  readonly email?: string
  /** true: the provider says that the user has shown the address to be theirs. */
  readonly emailVerified?: boolean
}

/** What a finished log-in, or the renewal of one, came to. */
export interface Grant {
  readonly identity: Identity
  /** With it the session is renewed; absent: it is over when its first part is. */
  readonly refreshToken?: string
  readonly expiresInS?: number
}

/** What a browser keeps, sealed, while it is at the provider. */
export interface PendingLogin {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

interface Provider {
  readonly name: string
  /** For the button. */
  readonly label: string
  /** Changes with the settings that sessions depend on: those of before are not believed. Says nothing about secrets. */
  readonly fingerprint: string
}

export interface PasswordProvider extends Provider {
  readonly kind: 'password'
  /** @returns undefined for a wrong name or password; it takes as long as for a right one */
  check(username: string, password: string): Promise<Identity | undefined>
}

/** The browser goes to the provider and comes back. Each may throw {@link ProviderAway} and {@link LoginRefused}. */
export interface RedirectProvider extends Provider {
  readonly kind: 'oidc'
  begin(redirectUri: string): Promise<{ readonly url: URL; readonly pending: PendingLogin }>
  /** @param url where the browser came back to, as it sees it */
  finish(url: URL, pending: PendingLogin): Promise<Grant>
  renew(refreshToken: string, identity: Identity): Promise<Grant>
  /** Where the provider has no place for it, nothing happens. */
  revoke(refreshToken: string): Promise<void>
  /** For good: whatever it is being asked fails now, and holds up nobody's end. */
  close(): void
}

export type DashboardAuthProvider = PasswordProvider | RedirectProvider

/** The provider does not answer, or not as a provider does, or cannot be asked. */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway'
  /** What to do about it. */
  readonly next: string

  constructor(message: string, { next = 'try again later', cause }: { next?: string; cause?: unknown } = {}) {
    super(message, { cause })
    this.next = next
  }
}

/** The provider says no, or what it says cannot be believed. */
export class LoginRefused extends Error {
  override readonly name = 'LoginRefused'
}
