import { expect, test } from 'vitest'
import { connectionToDrop } from '../../src/system/net/connection-limit.ts'

test.each([
  ['the oldest of the network that holds most', 'a1 b1 b2 a2 b3', 'b1'],
  ['the oldest of all where each network holds one', 'a1 b1 c1', 'a1'],
  ['never the only one of its network while another holds two', 'a1 b1 c1 c2', 'c1'],
  ['none where there are none', '', undefined],
])('the connection that makes room is %s', (_, open, dropped) => {
  const connections = open.split(' ').filter((name) => name !== '')
  expect(connectionToDrop(connections.map((name) => [name, name.charAt(0)] as const))).toBe(dropped)
})
