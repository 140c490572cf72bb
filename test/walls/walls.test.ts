import { describe, expect, test } from 'vitest'
import { parseRange, rangeProblem } from '../../src/walls/range.ts'
import {
  freeUid,
  type JudgedFacts,
  judge,
  parseWalls,
  recordText,
  type Wall,
  type Walls,
} from '../../src/walls/record.ts'

const wall = (uid: number, more: Partial<Wall> = {}): Wall => ({ uid, essential: false, memoryLimit: null, ...more })
const range = { first: 20_000, last: 20_002 }
const judged = (facts: Partial<JudgedFacts>) =>
  judge({ range, record: new Map(), owners: {}, runtimeUid: 10_000, known: {}, ...facts })

describe('HERMES_PROFILE_UIDS', () => {
  test.each([
    ['20000-29999', { first: 20_000, last: 29_999 }],
    ['1000-65533', { first: 1_000, last: 65_533 }],
    ['20000-20000', { first: 20_000, last: 20_000 }],
  ])('%s is a range', (text, expected) => expect(parseRange(text)).toEqual(expected))

  test.each(['20000', '999-2000', '20000-65534', '3000-2000', '0-0', '-1-5', '20000-29999 ', '1e4-2e4', '20000,20001'])(
    '%s is not a range',
    (text) => expect(parseRange(text)).toMatch(/^expected two ids from 1000 to 65533, such as 20000-29999, got "/),
  )

  const around = { uid: 10_000, gid: 10_000, accounts: [{ name: 'postgres', id: 5432 }], idMaps: [''] }
  test('a range without an id of others is free', () => expect(rangeProblem(range, around)).toBeUndefined())
  test.each([
    [{ first: 9_000, last: 11_000 }, around, 'contains an id of the runtime user (10000:10000)'],
    [{ first: 5_000, last: 6_000 }, around, 'contains 5432, the id of "postgres" in the image'],
    [range, { ...around, idMaps: ['0 100000 20001\n'] }, 'does not exist in this user namespace'],
    [range, { ...around, idMaps: ['0 0 4294967295', '0 100000 65536\n65536 1 1', '0 5 10'] }, 'does not exist'],
  ])('%j is refused: %j', (one, facts, expected) => expect(rangeProblem(one, facts)).toContain(expected))
})

describe('the record', () => {
  test('is read as it was written', () => {
    const walls: Walls = new Map([
      ['coder', wall(20_000, { essential: true })],
      ['a_b-1', wall(20_001, { memoryLimit: 5 })],
    ])
    expect(parseWalls(recordText(walls))).toEqual(walls)
  })

  const entry = '{"uid":20000,"essential":false,"memory_limit":null}'
  test.each<readonly [string, string]>([
    ['', 'it is not JSON'],
    ['[]', 'it is not a record'],
    ['{"v":2,"profiles":{}}', 'it is not a record'],
    ['{"v":1,"profiles":[]}', 'it is not a record'],
    [`{"v":1,"profiles":{"../etc":${entry}}}`, 'is not a name of a profile'],
    [`{"v":1,"profiles":{"default":${entry}}}`, 'is not a name of a profile'],
    [`{"v":1,"profiles":{"__proto__":${entry}}}`, 'is not a name of a profile'],
    [`{"v":1,"profiles":{"a":${entry},"b":${entry}}}`, 'two profiles have uid 20000'],
    [`{"v":1,"profiles":{"a":${entry},"a":${entry.replace('20000', '20001')}}}`, 'a profile is in it twice'],
    ...['0', '-1', '1.5', '"20000"', 'null', '65534', '4294967296'].map(
      (uid) => [`{"v":1,"profiles":{"a":${entry.replace('20000', uid)}}}`, 'the entry of "a" is not valid'] as const,
    ),
    [`{"v":1,"profiles":{"a":${entry.replace('false', '1')}}}`, 'the entry of "a" is not valid'],
  ])('%s counts for nothing', (text, why) => expect(parseWalls(text)).toContain(why))

  test('gives the lowest free id, until there is none', () => {
    const walls = new Map([
      ['a', wall(20_000)],
      ['b', wall(20_002)],
    ])
    expect(freeUid(range, walls)).toBe(20_001)
    expect(freeUid(range, new Map([...walls, ['c', wall(20_001)]]))).toBeUndefined()
  })
})

describe('init decides', () => {
  test('a profile of the record runs as its id', () => {
    expect(judged({ record: new Map([['a', wall(20_001)]]) })).toEqual({ uids: { a: 20_001 }, refused: {} })
  })

  test.each<[string, Partial<JudgedFacts>, string]>([
    ['without a range', { range: undefined, record: new Map([['a', wall(20_000)]]) }, 'HERMES_PROFILE_UIDS is not set'],
    ['with an id outside of it', { record: new Map([['a', wall(30_000)]]) }, 'which is not in 20000-20002'],
    ['with another id than before', { record: new Map([['a', wall(20_001)]]), known: { a: 20_000 } }, 'was changed'],
    ['with the id of another one', { record: new Map([['a', wall(20_001)]]), known: { b: 20_001 } }, 'that of "b"'],
    ['gone from the record', { owners: { a: 20_000 }, known: { a: 20_000 } }, 'walls.json does not have it'],
    ['whose directory is left of a wall', { owners: { a: 20_002 } }, 'its directory belongs to uid 20002'],
    ['of a record that counts for nothing', { record: 'it is a link', owners: { a: 20_000 } }, 'it is a link'],
    ['of such a record without a range', { range: undefined, record: 'x', owners: { a: 31_000 } }, 'cannot be used'],
  ])('a profile %s does not run', (_, facts, why) => {
    const { uids, refused } = judged(facts)
    expect(uids).not.toHaveProperty('a')
    expect(refused.a).toContain(why)
  })

  test('the others run as before', () => {
    expect(judged({ record: 'it is not JSON', owners: { plain: 10_000, roots: 0 } })).toEqual({ uids: {}, refused: {} })
    expect(judged({ range: undefined, owners: { plain: 10_000, mounted: 1_000 } })).toEqual({ uids: {}, refused: {} })
  })

  // A long history of records, as an attacker with the rights of the runtime user could write them.
  test('in one life no id changes, and no two profiles have the same', () => {
    const names = ['a', 'b', 'c', 'd']
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor((seed / 2_147_483_648) * below)
    }
    let known: Record<string, number> = {}
    for (let step = 0; step < 5_000; step += 1) {
      const walls = names.flatMap((name) => (random(3) === 0 ? [] : [[name, wall(19_999 + random(5))] as const]))
      const isValid = new Set(walls.map(([, { uid }]) => uid)).size === walls.length
      const record = isValid ? new Map(walls) : 'two profiles have one uid'
      const owners = Object.fromEntries(names.map((name) => [name, known[name] ?? 10_000]))
      const { uids, refused } = judged({ record, owners, known })
      for (const [name, uid] of Object.entries(known)) {
        expect(uids[name] ?? uid).toBe(uid)
        expect(name in uids || name in refused).toBe(true)
      }
      known = { ...known, ...uids }
      expect(new Set(Object.values(known)).size).toBe(Object.keys(known).length)
      for (const uid of Object.values(uids)) expect(uid >= range.first && uid <= range.last).toBe(true)
      if (random(400) === 0) known = {}
    }
  })
})
