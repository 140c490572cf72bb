import { expect, test } from 'vitest'
import { type Looked, type Wish, wished } from '../../../src/dashboard/web/core/slot-order.ts'

const profiles = [{ name: 'alpha', description: 'Writes Mail' }, { name: 'beta' }, { name: 'gamma' }, { name: 'new' }]
const facts: Readonly<Record<string, Looked>> = {
  alpha: { slot: { state: 'up', restarts: 2 }, usage: { cpu: 0.5, memory_bytes: 10 } },
  beta: { slot: { state: 'parked', restarts: 9 }, usage: undefined },
  gamma: { slot: { state: 'down', restarts: 0 }, usage: { cpu: 0.7, memory_bytes: 5 } },
}
const names = (wish: Partial<Wish>): string[] =>
  wished(profiles, (name) => facts[name] ?? { slot: undefined, usage: undefined }, {
    text: '',
    state: 'all',
    sort: 'name',
    ...wish,
  }).map(({ name }) => name)

test.each<[Partial<Wish>, string[]]>([
  [{}, ['alpha', 'beta', 'gamma', 'new']],
  [{ text: ' MAIL ' }, ['alpha']],
  [{ text: 'a' }, ['alpha', 'beta', 'gamma']],
  [{ text: 'nothing' }, []],
  [{ state: 'up' }, ['alpha']],
  [{ state: 'trouble' }, ['beta']],
  [{ state: 'down' }, ['gamma']],
  [{ state: 'down', text: 'alpha' }, []],
  [{ sort: 'state' }, ['beta', 'alpha', 'gamma', 'new']],
  [{ sort: 'cpu' }, ['gamma', 'alpha', 'beta', 'new']],
  [{ sort: 'memory' }, ['alpha', 'gamma', 'beta', 'new']],
  [{ sort: 'restarts' }, ['beta', 'alpha', 'gamma', 'new']],
])('%j shows %j', (wish, expected) => expect(names(wish)).toEqual(expected))
