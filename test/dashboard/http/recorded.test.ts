import { expect, test } from 'vitest'
import type { Change } from '../../../src/access/audit-entry.ts'
import type { AnyAnswer } from '../../../src/dashboard/contract/handler.ts'
import { ROUTES, type Route } from '../../../src/dashboard/contract/routes.ts'
import type { Caller } from '../../../src/dashboard/gate/guard.ts'
import { conflict } from '../../../src/dashboard/gate/refusals.ts'
import { changeOf, recording, whoIs } from '../../../src/dashboard/http/recorded.ts'

const routes = Object.entries<Route>(ROUTES)
const page: Caller = { kind: 'anonymous', reason: 'no_cookie' }
const facts = { path: '/api/profiles/coder/gateway' }
const call = { facts, caller: page, viewer: undefined, params: { name: 'coder' }, query: {}, body: { action: 'stop' } }

test('every route that changes something says what the log has of it: names, ids and words of a list', () => {
  const silent = routes.filter(([, { method, change }]) => method !== 'GET' && change === null).map(([name]) => name)
  expect(silent.sort()).toEqual(['dispatch', 'logout', 'passwordLogin', 'validateConfig'])
  const places = routes.flatMap(([, { change }]) => `${change?.action} ${change?.target}`.match(/\{[^}]+\}/g) ?? [])
  expect([...new Set(places)].sort()).toEqual([
    '{answer.id}',
    '{body.action}',
    '{body.name}',
    '{body.paused}',
    '{body.profile}',
    '{body.to}',
    '{path.id}',
    '{path.name}',
    '{path.node}',
    '{path.slot}',
  ])
  for (const [name, { path, change }] of routes)
    for (const [, key] of `${change?.target}`.matchAll(/\{path\.(\w+)\}/g))
      expect([name, path]).toEqual([name, expect.stringContaining(`{${key}}`)])
})

test('the way of a change: a person at the page, a program with a token, another node', () => {
  const viewer = { session: 's', user: 'me', actor: 'dashboard:me', provider: 'basic', expiresAtMs: 1, endsAtMs: 1 }
  const user = { kind: 'user', token: 't' } as unknown as Caller
  expect(whoIs({ facts, caller: user, viewer })).toEqual({ actor: 'dashboard:me', via: 'page' })
  const token = { caller: { kind: 'token' }, viewer: { ...viewer, actor: 'token:ci' } } as const
  expect(whoIs({ facts, ...token })).toEqual({ actor: 'token:ci', via: 'api' })
  expect(whoIs({ facts: { path: '/mcp' }, ...token })).toEqual({ actor: 'token:ci', via: 'mcp' })
  expect(whoIs({ facts, caller: { kind: 'node' }, viewer: undefined })).toEqual({ actor: 'node', via: 'api' })
  expect(whoIs({ facts, caller: page, viewer: undefined })).toEqual({ actor: 'dashboard', via: 'page' })
})

test('a request is recorded when it has ended, with the code of its refusal if it failed', async () => {
  const changes: Change[] = []
  const run = (answer: () => AnyAnswer) =>
    recording(
      ROUTES.gateway.change,
      (change) => changes.push(change),
      call,
      async () => answer(),
    )
  await run(() => ({ status: 200 }))
  await run(() => ({ stream: true }))
  const refused = () => {
    throw conflict('a text')
  }
  await expect(run(refused)).rejects.toThrow()
  await expect(
    recording(
      null,
      (change) => changes.push(change),
      call,
      async () => refused(),
    ),
  ).rejects.toThrow()
  expect(changes.map(({ action, target, result }) => [action, target, result])).toEqual([
    ['gateway stop', 'coder', 'done'],
    ['gateway stop', 'coder', 'begun'],
    ['gateway stop', 'coder', 'conflict'],
  ])
})

test('a task that was not made has no target', () => {
  const change = ROUTES.createTask.change
  expect(changeOf(change, call, 'done', { id: 't_1', title: 'a title' }).target).toBe('t_1')
  expect(changeOf(change, call, 'not_found', undefined).target).toBeNull()
})
