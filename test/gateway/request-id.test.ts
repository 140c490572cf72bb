import { expect, test } from 'vitest'
import { corsHeaders } from '../../src/gateway/api/http/cors.ts'
import { requestIdOf } from '../../src/gateway/api/http/request-id.ts'

const of = (id?: string) => requestIdOf({ headers: id === undefined ? {} : { 'x-request-id': id } })

test('a request keeps the id of its client where that cannot be mistaken for anything else', () => {
  for (const id of ['1', 'req_0', 'A-b.c:d_e', 'x'.repeat(128)]) expect(of(id)).toBe(id)
  for (const id of [undefined, '', ' a', 'a b', 'x'.repeat(129), 'é', 'a\nb', 'a,b', '$(id)'])
    expect(of(id)).toMatch(/^req_[0-9a-f]{24}$/)
  expect(of()).not.toBe(of())
})

test('pages that may use the API may read the request id', () => {
  expect(corsHeaders('*', 'https://app.example')['Access-Control-Expose-Headers']).toContain('X-Request-Id')
})
