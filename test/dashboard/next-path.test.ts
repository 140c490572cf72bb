import fc from 'fast-check'
import { expect, test } from 'vitest'
import { meansApi, safeNext } from '../../src/dashboard/gate/next-path.ts'

test.each(['/', '/kanban', '/profiles/coder?tab=log', '/x/../kanban', '/a%20b', '/apiary', '/authors'])(
  '%s is a page of ours',
  (path) => {
    expect(safeNext(path)).toBe(path)
  },
)

test.each([
  undefined,
  '',
  'kanban',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\/evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  'https://evil.example',
  'javascript:alert(1)',
  '/api/profiles',
  '/api',
  '/api/..%5c',
  '/%2e/api/..%5c',
  '/API/profiles',
  '/%61pi/profiles',
  '/%2561pi/profiles',
  '/x/../api/profiles',
  '/./api/profiles',
  '/x//../api/profiles',
  '/auth/logout',
  '/%61uth/logout',
  '/login',
  '/login?next=/login',
  '/%',
  '/ä',
  `/${'x'.repeat(3000)}`,
])('%s is not', (path) => {
  expect(safeNext(path)).toBe('/')
})

test('whatever is given, a browser stays with us', () => {
  const parts = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '%2f',
    '%2e',
    '%5c',
    '%252f',
    'evil.example',
    '@',
    ':',
    '?',
    '#',
    '\t',
    'api',
  )
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (pieces) => {
      const next = safeNext(pieces.join(''))
      const url = new URL(next, 'https://ours.example')
      expect(url.origin).toBe('https://ours.example')
      expect(url.pathname.startsWith('/api/') || url.pathname.startsWith('/auth/')).toBe(false)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['/api/x', true],
  ['/API/x', true],
  ['//api/x', true],
  ['/%61pi/x', true],
  ['/x/../api/y', true],
  ['/api', true],
  ['/api/..%5c', true],
  ['/apiary', false],
  ['/kanban', false],
])('%s means the API: %s', (path, expected) => {
  expect(meansApi(path)).toBe(expected)
})
