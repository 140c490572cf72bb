import { expect, test } from 'vitest'
import { DEFAULT_RULES, type ServicePrograms, type ServiceRules } from '../../src/services/definition.ts'
import { isSamePrograms, planReload } from '../../src/services/reload.ts'
import { LeavingServices } from '../../src/supervisor/services/leaving-services.ts'

const rules = (name: string, some: Partial<ServiceRules> = {}): ServiceRules => ({
  ...DEFAULT_RULES,
  name,
  source: 'services.yaml',
  kind: 'longrun',
  ...some,
})
const of = (...all: readonly ServiceRules[]): ReadonlyMap<string, ServiceRules> =>
  new Map(all.map((one) => [one.name, one]))
const programs: ServicePrograms = {
  name: 'a',
  oneshot: false,
  run: ['/bin/a'],
  cwd: '/',
  inherits: 'container',
  variables: { A: '1', B: '2' },
  depth: 0,
}

test('a rule that differs, or a program, is a change; another file or another place in the order is not', () => {
  const before = of(rules('same'), rules('moved'), rules('rule'), rules('program'), rules('gone'))
  const after = of(
    rules('same'),
    rules('moved', { source: 'services.d/b.yaml' }),
    rules('rule', { restart: 'never' }),
    rules('program'),
    rules('new'),
  )
  expect(planReload(before, after, new Set(['program', 'new']))).toEqual({
    added: ['new'],
    removed: ['gone'],
    changed: ['rule', 'program'],
    unchanged: 2,
  })
  expect(isSamePrograms(programs, { ...programs, depth: 3, variables: { B: '2', A: '1' } })).toBe(true)
  expect(isSamePrograms(programs, { ...programs, variables: { A: '1', B: '3' } })).toBe(false)
})

test('each service that leaves is asked to stop once, and before those it depended on', () => {
  const leaving = new LeavingServices()
  const on = (name: string): Partial<ServiceRules> => ({ dependsOn: [{ name, until: 'ready' }] })
  const states = new Map<string, 'up' | 'down'>(['a', 'b', 'c', 'alone'].map((name) => [name, 'up']))
  leaving.add([
    { rules: rules('a'), afterwards: 'start' },
    { rules: rules('b', on('a')), afterwards: 'remove' },
    { rules: rules('c', on('b')), afterwards: 'remove' },
    { rules: rules('alone', on('unchanged')), afterwards: 'stay' },
  ])
  const next = (): readonly string[] => {
    leaving.takeGone((name) => states.get(name))
    return leaving.takeStoppable()
  }
  expect(next()).toEqual(['c', 'alone'])
  expect(next()).toEqual([])
  states.delete('c')
  expect(next()).toEqual(['b'])
  states.set('b', 'down')
  expect(next()).toEqual(['a'])
  expect(leaving.all().map((one) => one.rules.name)).toEqual(['a', 'alone'])
})
