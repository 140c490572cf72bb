import { describe, expect, test } from 'vitest'
import { copiesAmong } from '../../../src/profile/state/copies.ts'

/** Directories by name: what their files were written for, `name:id`. */
const copies = (found: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    copiesAmong(
      new Map(
        Object.entries(found).map(([dir, text]) => {
          const [name = '', id = ''] = text.split(':')
          return [dir, { name, id }]
        }),
      ),
    ),
  )

describe('a directory is a copy', () => {
  test.each([
    ['beside its original', { src: 'src:1', copy: 'src:1' }, { copy: 'src' }],
    ['also twice', { src: 'src:1', b: 'src:1', a: 'src:1' }, { a: 'src', b: 'src' }],
    ['of the default profile', { default: 'default:1', copy: 'default:1' }, { copy: 'default' }],
    ['in the place of the default profile', { default: 'src:1', src: 'src:1' }, { default: 'src' }],
    ['of a copy that was never started', { src: 'src:1', a: 'src:1', aa: 'src:1' }, { a: 'src', aa: 'src' }],
    ['under the name that its original had', { src: 'src:1', moved: 'src:1' }, { moved: 'src' }],
    ['of one that was renamed: one can have been', { b: 'src:1', a: 'src:1' }, { b: 'a' }],
  ])('%s', (_what, found, expected) => {
    expect(copies(found)).toEqual(expected)
  })
})

describe('a directory is its own', () => {
  test.each([
    ['under its own name', { src: 'src:1' }],
    ['renamed', { moved: 'src:1' }],
    ['renamed, and a new profile has its old name', { moved: 'src:1', src: 'src:2' }],
    ['swapped with another', { a: 'b:1', b: 'a:2' }],
    ['with the id of a stranger under another name', { a: 'a:1', b: 'b:1' }],
  ])('%s', (_what, found) => {
    expect(copies(found)).toEqual({})
  })
})
