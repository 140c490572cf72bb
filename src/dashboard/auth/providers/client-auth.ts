import type * as OpenId from 'openid-client'
import { ProviderAway } from './provider.ts'

/**
 * Chooses how to authenticate as a client at the provider.
 * @param name name of the provider
 * @param methods methods that it announces: `token_endpoint_auth_methods_supported`
 * @throws ProviderAway naming its methods, if we support none of them
 */
export function clientAuth(
  openid: typeof OpenId,
  name: string,
  clientSecret: string | undefined,
  methods: readonly string[] | undefined,
): OpenId.ClientAuth {
  // A public client, which PKCE protects. Many providers that have such clients do not announce "none".
  if (clientSecret === undefined) return openid.None()
  // Without an announcement it is basic (OpenID Connect Discovery, 3).
  if (methods === undefined || methods.includes('client_secret_basic')) return openid.ClientSecretBasic(clientSecret)
  if (methods.includes('client_secret_post')) return openid.ClientSecretPost(clientSecret)
  throw new ProviderAway(
    `"${name}" accepts no client secret; it announces ${methods.join(', ') || 'no method at all'}`,
    {
      next: 'register hermes there with client_secret_basic or client_secret_post, or as a public client and without HERMES_DASHBOARD_OAUTH_CLIENT_SECRET here',
    },
  )
}
