import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { problemText, type ServiceDefinition } from '../../src/services/definition.ts'
import { validGraph } from '../../src/services/graph.ts'
import { service } from './definitions.ts'

const names = ({ services }: { readonly services: readonly ServiceDefinition[] }): string[] =>
  services.map(({ rules }) => rules.name)
const said = ({ problems }: ReturnType<typeof validGraph>): string[] => problems.map(problemText)

describe('a service that cannot run is taken out by name, and the rest stays', () => {
  test('a service that depends on an undefined one, and the services that depend on it', () => {
    const graph = validGraph([service('web', ['db']), service('worker', ['web']), service('alone')])
    expect(names(graph)).toEqual(['alone'])
    expect(said(graph)).toEqual([
      'service web is left out: /etc/services.d/web: depends on db, which is not defined; define db, or take the dependency out',
      'service worker is left out: /etc/services.d/worker: depends on web, which is left out itself; correct web',
    ])
  })

  test('a circle is named once for each of its members, with the way around', () => {
    const graph = validGraph([
      service('a', ['b']),
      service('b', ['c']),
      service('c', ['a']),
      service('d', ['a']),
      service('e'),
    ])
    expect(names(graph)).toEqual(['e'])
    expect(said(graph)[0]).toMatch(/^service a is left out: .*: depends on itself: a → b → c → a; remove one/)
    expect(graph.problems.map((problem) => problem.service)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a service that depends on itself is a circle of one', () => {
    const graph = validGraph([service('a', ['a'])])
    expect(said(graph)).toEqual([expect.stringContaining('depends on itself: a → a')])
  })

  test('a chain of 10,000 is handled', () => {
    const chain = Array.from({ length: 10_000 }, (_, i) => service(`s${i}`, i === 9_999 ? [] : [`s${i + 1}`]))
    expect(validGraph(chain).services[0]?.programs.depth).toBe(9_999)
  })
})

const anyGraph = fc
  .array(fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 3 }), { minLength: 1, maxLength: 10 })
  .map((needs) =>
    needs.map((of, i) =>
      service(
        `s${i}`,
        [...new Set(of)].map((n) => `s${n}`),
      ),
    ),
  )

test('whatever is defined: what stays has all it needs, lies deeper than it, and nothing that could run was taken out', () => {
  fc.assert(
    fc.property(anyGraph, (definitions) => {
      const graph = validGraph(definitions)
      const depths = new Map(graph.services.map(({ programs }) => [programs.name, programs.depth]))
      for (const { rules, programs } of graph.services)
        for (const { name } of rules.dependsOn) expect(depths.get(name)).toBeLessThan(programs.depth)
      // The services that can run, found the slow way: add each one whose needs are met, until there are no more.
      const can = new Set<string>()
      for (let size = -1; size !== can.size; ) {
        size = can.size
        for (const { rules } of definitions) if (rules.dependsOn.every(({ name }) => can.has(name))) can.add(rules.name)
      }
      expect(new Set(depths.keys())).toEqual(can)
      expect(graph.problems.length).toBe(definitions.length - can.size)
    }),
  )
})
