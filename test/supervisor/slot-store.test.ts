import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newSlot } from '../../src/slot/slot.ts'
import { SlotStore } from '../../src/supervisor/slot-store.ts'
import { policy } from '../slot/policies.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'slot-store-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const stored = { slot: newSlot(policy(), 5), sinceWallMs: 7, normallyUp: true }
const store = (warnings: string[] = []): SlotStore => new SlotStore(dir, (text) => warnings.push(text))

test('what was saved is what the next supervisor loads, readable by its owner only', () => {
  store().save('gateway-a', stored)
  expect(store().load()).toEqual(new Map([['gateway-a', { v: 1, ...stored }]]))
  expect(statSync(join(dir, 'gateway-a')).mode & 0o777).toBe(0o600)
})

test('a removed slot is forgotten, and removing it again does nothing', () => {
  store().save('gateway-a', stored)
  store().remove('gateway-a')
  store().remove('gateway-a')
  expect(store().load().size).toBe(0)
})

test('no half-written file is ever loaded', () => {
  store().save('gateway-a', stored)
  writeFileSync(join(dir, '.gateway-a'), '{"v":1,"slot":{"sta')
  expect([...store().load().keys()]).toEqual(['gateway-a'])
})

test.each([
  ['empty', ''],
  ['torn', '{"v":1,"slot":{"state":"up"'],
  ['of another version', JSON.stringify({ v: 2, ...stored })],
  ['in no state there is', JSON.stringify({ v: 1, ...stored, slot: { ...stored.slot, state: 'flying' } })],
  ['null', 'null'],
  ['a list', '[]'],
])('a file that is %s is reported and left out, and the others are loaded', (_what, text) => {
  store().save('gateway-a', stored)
  writeFileSync(join(dir, 'gateway-b'), text)
  const warnings: string[] = []
  expect([...store(warnings).load().keys()]).toEqual(['gateway-a'])
  expect(warnings).toEqual([expect.stringContaining(join(dir, 'gateway-b'))])
})

test('links, directories and names that are no slots are not followed', () => {
  writeFileSync(join(dir, 'UPPER'), '{}')
  mkdirSync(join(dir, 'gateway-dir'))
  symlinkSync('/etc/passwd', join(dir, 'gateway-link'))
  const warnings: string[] = []
  expect(store(warnings).load().size).toBe(0)
  expect(warnings).toHaveLength(2)
})

test('a directory that cannot be written is said once, and nothing is thrown', () => {
  const warnings: string[] = []
  const lost = new SlotStore(join(dir, 'gone'), (text) => warnings.push(text))
  lost.save('gateway-a', stored)
  lost.save('gateway-a', stored)
  expect(warnings).toHaveLength(1)
  expect(readdirSync(dir)).toEqual([])
})
