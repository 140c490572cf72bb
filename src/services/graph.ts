/** Dependencies between services: missing ones, circles, depth. */
import type { Dependency } from '../profile/config/kinds/program-kinds.ts'
import { REPLICA, type ServiceDefinition, type ServiceProblem } from './definition.ts'

export interface Graph {
  /** Services that can run, with `depth` filled in. */
  readonly services: readonly ServiceDefinition[]
  readonly problems: readonly ServiceProblem[]
}

/**
 * Takes out what cannot run: members of a circle, everything that depends on something that is not there, and, one
 * after the other, everything that depends on those. The rest keeps its order.
 * @param leftOut names of services that are out already, each with a problem of its own
 */
export function validGraph(found: readonly ServiceDefinition[], leftOut: ReadonlySet<string> = new Set()): Graph {
  const definitions = withInstances(found)
  const left = new Map(definitions.map((one) => [one.rules.name, one]))
  const problems: ServiceProblem[] = []
  const takeOut = (one: ServiceDefinition, message: string, repair: string): void => {
    left.delete(one.rules.name)
    problems.push({ service: one.rules.name, file: one.rules.source, message, repair })
  }
  for (const circle of cycles(definitions)) {
    const way = [...circle, circle[0]].join(' → ')
    for (const name of circle) {
      const one = left.get(name)
      if (one !== undefined) takeOut(one, `depends on itself: ${way}`, 'remove one of these dependencies')
    }
  }
  for (let again = true; again; ) {
    again = false
    for (const one of left.values()) {
      const missing = one.rules.dependsOn.find(({ name }) => !left.has(name))
      if (missing === undefined) continue
      const known = leftOut.has(missing.name) || definitions.some(({ rules }) => rules.name === missing.name)
      takeOut(
        one,
        `depends on ${missing.name}, which ${known ? 'is left out itself' : 'is not defined'}`,
        known ? `correct ${missing.name}` : `define ${missing.name}, or take the dependency out`,
      )
      again = true
    }
  }
  const depths = depthsOf([...left.values()])
  const services = [...left.values()].map((one) => ({
    ...one,
    programs: { ...one.programs, depth: depths.get(one.rules.name) ?? 0 },
  }))
  return { services, problems }
}

/** A dependency on a service with `replicas` is one on all of them. */
function withInstances(definitions: readonly ServiceDefinition[]): readonly ServiceDefinition[] {
  const names = new Set(definitions.map(({ rules }) => rules.name))
  const instances = Map.groupBy(
    definitions.filter(({ programs }) => programs.variables[REPLICA] !== undefined),
    ({ rules }) => rules.name.replace(/-\d+$/, ''),
  )
  if (instances.size === 0) return definitions
  const inAll = (one: Dependency): readonly Dependency[] => {
    const all = names.has(one.name) ? undefined : instances.get(one.name)
    return all?.map(({ rules }) => ({ ...one, name: rules.name })) ?? [one]
  }
  return definitions.map((one) => ({
    ...one,
    rules: { ...one.rules, dependsOn: one.rules.dependsOn.flatMap(inAll) },
  }))
}

/**
 * Every circle of dependencies, each service in at most one of them: the strongly connected components (Tarjan, without
 * recursion).
 */
export function cycles(definitions: readonly ServiceDefinition[]): readonly (readonly string[])[] {
  const needs = new Map(definitions.map(({ rules }) => [rules.name, rules.dependsOn.map(({ name }) => name)]))
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const onStack = new Set<string>()
  const stack: string[] = []
  const found: string[][] = []
  const enter = (name: string): void => {
    index.set(name, index.size)
    low.set(name, index.size - 1)
    stack.push(name)
    onStack.add(name)
  }
  for (const { rules } of definitions) {
    if (index.has(rules.name)) continue
    const work = [{ name: rules.name, next: 0 }]
    enter(rules.name)
    for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
      const { name } = top
      const to = needs.get(name)?.[top.next++]
      if (to !== undefined) {
        if (!needs.has(to)) continue
        if (!index.has(to)) {
          enter(to)
          work.push({ name: to, next: 0 })
        } else if (onStack.has(to)) lower(low, name, index.get(to))
        continue
      }
      work.pop()
      const parent = work.at(-1)
      if (parent !== undefined) lower(low, parent.name, low.get(name))
      if (low.get(name) !== index.get(name)) continue
      const component: string[] = []
      for (let one: string | undefined; one !== name; ) {
        one = stack.pop() ?? name
        onStack.delete(one)
        component.push(one)
      }
      if (component.length > 1 || needs.get(name)?.includes(name)) found.push(component.reverse())
    }
  }
  return found
}

const lower = (low: Map<string, number>, name: string, to: number | undefined): void => {
  low.set(name, Math.min(low.get(name) ?? Infinity, to ?? Infinity))
}

/** Length of the longest way down from each. @param definitions without circles, and nothing missing */
function depthsOf(definitions: readonly ServiceDefinition[]): ReadonlyMap<string, number> {
  const dependents = new Map<string, string[]>()
  const unknown = new Map<string, number>()
  for (const { rules } of definitions) {
    const needs = new Set(rules.dependsOn.map(({ name }) => name))
    unknown.set(rules.name, needs.size)
    for (const name of needs) dependents.set(name, [...(dependents.get(name) ?? []), rules.name])
  }
  const depths = new Map<string, number>()
  const known = [...unknown].filter(([, left]) => left === 0).map(([name]) => name)
  for (const name of known) depths.set(name, 0)
  // The iterator of an array also visits elements added during the loop.
  for (const name of known) {
    for (const dependent of dependents.get(name) ?? []) {
      depths.set(dependent, Math.max(depths.get(dependent) ?? 0, (depths.get(name) ?? 0) + 1))
      const left = (unknown.get(dependent) ?? 0) - 1
      unknown.set(dependent, left)
      if (left === 0) known.push(dependent)
    }
  }
  return depths
}
