import { describe, expect, test } from 'vitest'
import { admit, type NodeRow } from '../../../src/kanban/nodes/admit.ts'

const card = { id: 'a1', name: 'h1', instance: 'life-2', volume: 'disk-1' }
const row = (more: Partial<NodeRow> = {}): NodeRow => ({ ...card, epoch: 4, inForce: true, ...more })
const other = (more: Partial<NodeRow> = {}): NodeRow =>
  row({ id: 'bbbbbbbbbb', instance: 'other', volume: 'disk-2', ...more })

describe('the lease of a node', () => {
  test('a node that was never seen begins with epoch 1', () => {
    expect(admit(card, undefined, undefined)).toEqual({ do: 'admit', epoch: 1 })
  })

  test('a dispatcher that starts again in the same life goes on with its epoch', () => {
    expect(admit(card, row(), undefined)).toEqual({ do: 'admit', epoch: 4 })
  })

  test('a lease that has lapsed is taken with the next epoch, also in the same life', () => {
    expect(admit(card, row({ inForce: false }), undefined)).toEqual({ do: 'admit', epoch: 5 })
    expect(admit(card, row({ inForce: false, instance: 'life-1' }), undefined)).toEqual({ do: 'admit', epoch: 5 })
  })

  test('the next life on the same volume does not wait for the lease of the one before', () => {
    expect(admit(card, row({ instance: 'life-1' }), undefined)).toEqual({ do: 'admit', epoch: 5 })
  })

  test('a copy of the volume is refused while the lease is in force, and admitted once it has lapsed', () => {
    const original = row({ instance: 'life-1', volume: 'disk-9' })
    expect(admit(card, original, undefined)).toEqual({ do: 'refuse', same: 'id', by: original })
    expect(admit(card, { ...original, inForce: false }, undefined)).toEqual({ do: 'admit', epoch: 5 })
  })

  test('the name of a node that lives is refused, that of one that has lapsed is taken over', () => {
    expect(admit(card, undefined, other())).toMatchObject({ do: 'refuse', same: 'name' })
    expect(admit(card, row(), other({ inForce: false }))).toEqual({
      do: 'admit',
      epoch: 4,
      rename: { id: 'bbbbbbbbbb', to: 'h1~bbbbbbbb' },
    })
  })
})
