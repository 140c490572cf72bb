/** Ways to log in stand behind these interfaces; the rest of the dashboard knows no other. */
import type { Scope } from '../../../access/scope.ts'

/** A user identified by a provider. */
export interface Identity {
  /** Stable for a provider: its subject, or the name of the user. */
  readonly subject: string
  readonly email?: string
  /** true: the provider states that the address belongs to the user. */
  readonly emailVerified?: boolean
  /** How much the user may do. */
  readonly scope: Scope
}

/** Result of a finished log-in or renewal. */
export interface Grant {
  readonly identity: Identity
  /** Token to renew the session; absent: the session ends when its first part expires. */
  readonly refreshToken?: string
  readonly expiresInS?: number
}

/** Data that the browser keeps, sealed, during the visit to the provider. */
export interface PendingLogin {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

interface Provider {
  readonly name: string
  /** Text of the button. */
  readonly label: string
  /**
   * Changes with the settings that sessions depend on; sessions with an old fingerprint are not accepted. Reveals
   * nothing about secrets.
   */
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
  /** Does nothing if the provider has no endpoint for it. */
  revoke(refreshToken: string): Promise<void>
  /** Closes for good: pending requests fail now, so they delay nothing. */
  close(): void
}

export type DashboardAuthProvider = PasswordProvider | RedirectProvider

/** The provider does not answer, gives an invalid answer, or cannot be asked. */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway'
  /** Next step for the operator. */
  readonly next: string

  constructor(message: string, { next = 'try again later', cause }: { next?: string; cause?: unknown } = {}) {
    super(message, { cause })
    this.next = next
  }
}

/** The provider refuses, or its answer cannot be trusted. */
export class LoginRefused extends Error {
  override readonly name: string = 'LoginRefused'
}

/** The provider vouches for the user, who has no role here. */
export class NoRole extends LoginRefused {}
