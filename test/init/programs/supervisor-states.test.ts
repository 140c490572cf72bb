import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { SupervisorStates } from '../../../src/init/programs/supervisor-states.ts'
import { scratchDir } from '../../support/scratch.ts'

const NAME = 'gateway-coder'
let dir: string
let warned: string[]
let states: SupervisorStates
beforeEach(() => {
  dir = scratchDir('hermes-states-')
  warned = []
  states = new SupervisorStates({ dir, warn: (text) => warned.push(text) })
})

const keep = (text: string): void => states.take({ type: 'keep', name: NAME, text })
const file = (): string => join(dir, NAME)
const left = (): readonly unknown[] => [...states.messages()]
const inode = (): number => statSync(file()).ino

test('the next supervisor gets the last text of each name, whatever its length', () => {
  for (const text of ['x'.repeat(300), 'y', 'z'.repeat(4096), 'w'.repeat(9000), 'v'.repeat(20), '', 'u'.repeat(70)]) {
    keep(text)
    expect(left()).toEqual([{ type: 'kept', name: NAME, text }])
  }
  expect(readdirSync(dir)).toEqual([NAME])
  expect([warned, statSync(file()).mode & 0o777]).toEqual([[], 0o600])
})

test('a text of less than a block is written over the last one, a longer one into a file of its own', () => {
  keep('first')
  const first = inode()
  keep('second')
  expect(inode()).toBe(first)
  // A full disk could cut it off in the middle, so the last one has to stay until it is there.
  keep('x'.repeat(5000))
  expect(inode()).not.toBe(first)
})

test.each([
  ['removed', () => undefined],
  ['a link to another file', () => symlinkSync(join(dir, 'other'), file())],
  ['a link that leads nowhere', () => symlinkSync(join(dir, 'nothing'), file())],
])('a file that was %s is made anew, and nothing else is written', (_, plant) => {
  writeFileSync(join(dir, 'other'), 'of another')
  keep('first')
  rmSync(file())
  plant()
  keep('second')
  expect([readFileSync(file(), 'utf8'), readFileSync(join(dir, 'other'), 'utf8'), warned]).toEqual([
    'second',
    'of another',
    [],
  ])
  expect(readdirSync(dir).sort()).toEqual([NAME, 'other'])
})

test('a text that cannot be written is reported once, with the place', () => {
  keep('first')
  rmSync(file())
  mkdirSync(join(file(), 'below'), { recursive: true })
  keep('second')
  keep('third')
  expect(warned).toEqual([expect.stringMatching(`^cannot write ${file()}: E[A-Z]+.*; free some space in ${dir}$`)])
})
