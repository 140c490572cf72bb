import { copyFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { identityOf, readIdentity, volumeMark } from '../../../src/kanban/nodes/identity.ts'
import { quickDir } from '../../support/quick-dir.ts'

const homes: string[] = []
const home = (): string => {
  const dir = quickDir('hermes-node-')
  homes.push(dir)
  return dir
}
afterEach(() => {
  for (const dir of homes.splice(0)) rmSync(dir, { recursive: true, force: true })
})

test('a node keeps its id and the name of its first start', () => {
  const dir = home()
  expect(readIdentity(dir)).toBeUndefined()
  const first = identityOf(dir, {}, 'Web_Host.example')
  expect(first).toMatchObject({ name: 'web_host.example', id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  expect(identityOf(dir, {}, 'another-host')).toEqual(first)
  expect(identityOf(dir, { HERMES_NODE: 'h7' }, 'another-host')).toEqual({ ...first, name: 'h7' })
  expect(statSync(join(dir, 'node.id')).mode & 0o777).toBe(0o600)
  expect(identityOf(home(), {}, 'web').id).not.toBe(first.id)
})

test('HERMES_NODE gives the name, and is refused if it cannot be one', () => {
  expect(identityOf(home(), { HERMES_NODE: ' H1 ' }, 'x').name).toBe('h1')
  for (const name of ['a b', '@x', 'a'.repeat(64)])
    expect(() => identityOf(home(), { HERMES_NODE: name }, 'x')).toThrow(/^HERMES_NODE: .* is not a name of a node$/)
})

test('a host without a name that can be used is called "node"', () => {
  expect(identityOf(home(), {}, '---').name).toBe('node')
})

test('a file that is not an identity is reported and left alone', () => {
  const dir = home()
  writeFileSync(join(dir, 'node.id'), 'torn')
  expect(() => identityOf(dir, {}, 'x')).toThrow(/node\.id: does not have an id and a name/)
})

test('a copy of the volume has another mark', () => {
  const [dir, copy] = [home(), home()]
  identityOf(dir, {}, 'x')
  copyFileSync(join(dir, 'node.id'), join(copy, 'node.id'))
  expect(volumeMark(dir)).toBe(volumeMark(dir))
  expect(volumeMark(copy)).not.toBe(volumeMark(dir))
})
