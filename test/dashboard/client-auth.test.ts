import * as openid from 'openid-client'
import { describe, expect, test } from 'vitest'
import { clientAuth } from '../../src/dashboard/auth/providers/client-auth.ts'
import { ProviderAway } from '../../src/dashboard/auth/providers/provider.ts'

/** The client authentication in a request to the provider. */
function shown(secret: string | undefined, methods: readonly string[] | undefined) {
  const body = new URLSearchParams()
  const headers = new Headers()
  clientAuth(openid, 'corp', secret, methods)(
    { issuer: 'https://login.example' },
    { client_id: 'hermes' },
    body,
    headers,
  )
  return { ...Object.fromEntries(body), ...Object.fromEntries(headers) }
}

const basic = { authorization: `Basic ${btoa('hermes:secret')}` }
const post = { client_id: 'hermes', client_secret: 'secret' }
const none = { client_id: 'hermes' }

describe('a client shows a provider who it is', () => {
  test.each([
    ['by its secret in the header, where nothing is announced', 'secret', undefined, basic],
    [
      'by its secret in the header, where that is announced',
      'secret',
      ['private_key_jwt', 'client_secret_basic'],
      basic,
    ],
    [
      'by its secret in the header, also where it may stand in the body',
      'secret',
      ['client_secret_post', 'client_secret_basic'],
      basic,
    ],
    [
      'by its secret in the body, where only that is announced',
      'secret',
      ['client_secret_post', 'private_key_jwt'],
      post,
    ],
    ['by its name alone, where it has no secret', undefined, ['none'], none],
    ['by its name alone, where public clients are not announced', undefined, ['client_secret_basic'], none],
    ['by its name alone, where nothing is announced', undefined, undefined, none],
  ])('%s', (_, secret, methods, expected) => {
    expect(shown(secret, methods)).toEqual(expected)
  })

  test.each([[['private_key_jwt', 'none'], 'private_key_jwt, none'] as const, [[], 'no method at all'] as const])(
    'or says which ways there are, where it has none of them: %o',
    (methods, named) => {
      expect(() => shown('secret', methods)).toThrow(ProviderAway)
      expect(() => shown('secret', methods)).toThrow(`"corp" accepts no client secret; it announces ${named}`)
    },
  )
})
