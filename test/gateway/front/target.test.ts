import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { frontSettings } from '../../../src/gateway/front/settings.ts'
import { findTarget, frontPath } from '../../../src/gateway/front/target.ts'
import { readApiAddress, removeApiAddress, writeApiAddress } from '../../../src/profile/state/api-address.ts'
import { scratchDir } from '../../support/scratch.ts'

function home(): { readonly home: string; readonly dir: string; readonly file: string } {
  const top = scratchDir('hermes-front-')
  const dir = join(top, 'profiles', 'coder')
  mkdirSync(join(dir, 'logs'), { recursive: true })
  return { home: top, dir, file: join(dir, 'logs', 'api-address.json') }
}

test.each([
  ['/p/coder/v1', 'coder', '/v1'],
  ['/p/coder/v1/models?limit=1', 'coder', '/v1/models?limit=1'],
  ['/p/coder/v1?x=/../y', 'coder', '/v1?x=/../y'],
  ['/p/coder/v1/models/a%2Fb', 'coder', '/v1/models/a%2Fb'],
  ['/p/default/v1/', 'default', '/v1/'],
])('%s is of profile %s', (url, profile, path) => {
  expect(frontPath(url)).toEqual({ profile, path })
})

test.each([
  '/',
  '/v1/models',
  '/p/coder',
  '/p/coder/health',
  '/p/coder/v10/models',
  '/p//v1/models',
  '/p/coder/v1/../health',
  '/p/coder/v1/%2e%2E/health',
  '/p/coder/v1/./models',
  '/p/coder/v1/\\..\\health',
  '/p/coder/v1/..?x',
  'http://other.example/p/coder/v1/models',
])('%s is nothing', (url) => {
  expect(frontPath(url)).toBeUndefined()
  expect(findTarget('/nonexistent', url)).toMatchObject({ status: 404, error: { code: 'not_found' } })
})

test('a request goes to the address that the living gateway has left', () => {
  const { home: top, dir } = home()
  writeApiAddress(dir, { host: '0.0.0.0', port: 8701, keyed: true })
  const target = { profile: 'coder', path: '/v1/models', host: '127.0.0.1', port: 8701, keyed: true }
  expect(findTarget(top, '/p/coder/v1/models')).toEqual(target)
  writeApiAddress(dir, { host: '::', port: 8701, keyed: true })
  expect(findTarget(top, '/p/coder/v1/models')).toEqual({ ...target, host: '::1' })
})

test('an unknown profile, one that does not run and one without a key are refused with what is next', () => {
  const { home: top, dir } = home()
  for (const name of ['nosuch', '..', 'Coder', '%63oder'])
    expect(findTarget(top, `/p/${name}/v1/models`)).toMatchObject({ status: 404, error: { code: 'profile_not_found' } })
  const stopped = {
    status: 503,
    error: { code: 'gateway_not_running', message: expect.stringContaining('hermes -p coder gateway start') },
    headers: { 'retry-after': '5' },
  }
  expect(findTarget(top, '/p/coder/v1/models')).toMatchObject(stopped)
  writeApiAddress(dir, { host: '127.0.0.1', port: 8701, keyed: false })
  expect(findTarget(top, '/p/coder/v1/models')).toMatchObject({
    status: 403,
    error: { message: expect.stringContaining('API_SERVER_KEY') },
  })
  removeApiAddress(dir)
  expect(findTarget(top, '/p/coder/v1/models')).toMatchObject(stopped)
})

test('the address of a process that has ended, or has only its pid, is not believed', () => {
  const { dir, file } = home()
  writeApiAddress(dir, { host: '127.0.0.1', port: 8701, keyed: true })
  const record = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  // Above the most that Linux gives.
  const pid = 5_000_000
  const changed = (change: object) => {
    writeFileSync(file, JSON.stringify({ ...record, ...change }))
    return readApiAddress(dir)
  }
  expect(changed({})).toEqual({ host: '127.0.0.1', port: 8701, keyed: true })
  expect(changed({ pid })).toBeUndefined()
  expect(changed({ started: Number(record.started) - 1 })).toBeUndefined()
  // The profile can write anything into the file.
  for (const wrong of [
    { host: 'other.example' },
    { port: 0 },
    { port: 65_536 },
    { pid: -1 },
    { pid: '1/../2' },
    { host: 1 },
  ])
    expect(changed(wrong)).toBeUndefined()
  writeFileSync(file, '{"pid":')
  expect(readApiAddress(dir)).toBeUndefined()
})

test('the front port listens for other machines in a container only, or where it is set', () => {
  expect(frontSettings({ HERMES_FRONT_PORT: '8644' }, true)).toEqual({ host: '0.0.0.0', port: 8644 })
  expect(frontSettings({ HERMES_FRONT_PORT: ' 8644 ' }, false)).toEqual({ host: '127.0.0.1', port: 8644 })
  expect(frontSettings({ HERMES_FRONT_PORT: '1', HERMES_FRONT_HOST: '[::1]' }, true)).toEqual({ host: '::1', port: 1 })
  for (const wrong of ['0', '65536', 'yes', '8644/tcp', '-1', ''])
    expect(() => frontSettings({ HERMES_FRONT_PORT: wrong }, true)).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringContaining(JSON.stringify(wrong)) }),
    )
})
