/**
 * The order in which services start and stop. Pure: goals and states in, what to do now and the goals that are left
 * out. Applying the steps and asking again changes nothing until a state has changed.
 */

import type { Dependency } from '../profile/config/kinds/program-kinds.ts'
import { isSuccess } from '../slot/ending.ts'
import type { Slot, SlotState } from '../slot/slot.ts'

/** Pending actions: services to start when their dependencies are up, and to stop when their dependents are down. */
export interface Goals {
  readonly start: ReadonlySet<string>
  readonly stop: ReadonlySet<string>
}

export const NO_GOALS: Goals = { start: new Set(), stop: new Set() }

export interface PlannedService {
  readonly dependsOn: readonly Dependency[]
  readonly state: SlotState
  /** Its last process has ended with 0, and by itself. */
  readonly succeeded?: boolean
}
export type Services = ReadonlyMap<string, PlannedService>

export interface Plan {
  readonly steps: readonly { readonly verb: 'start' | 'stop'; readonly name: string }[]
  readonly goals: Goals
}

/** Adds a start, with everything it needs. Its needs that were to be stopped stay. */
export function wantStarted(goals: Goals, services: Services, names: Iterable<string>): Goals {
  const asked = new Set(names)
  // A dependency that has completed its work is not run again for those that need it.
  const isOver = (one: Dependency): boolean => one.until === 'completed' && isSatisfied(one, services.get(one.name))
  const needs = (name: string): readonly string[] =>
    services.get(name)?.dependsOn.flatMap((one) => (isOver(one) ? [] : [one.name])) ?? []
  const needed = closure(asked, needs)
  const absent = [...needed].filter((name) => !isThere(services.get(name)?.state))
  return { start: new Set([...goals.start, ...absent]), stop: without(goals.stop, needed) }
}

/** A service and everything that needs it. */
export const needing = (services: Services, name: string): ReadonlySet<string> =>
  closure([name], (of) => dependentsOf(services, of))

/** Adds a stop, with everything that needs it. */
export function wantStopped(goals: Goals, services: Services, name: string): Goals {
  const all = needing(services, name)
  const present = [...all].filter((one) => !isGone(services.get(one)?.state))
  return { start: without(goals.start, all), stop: new Set([...goals.stop, ...present]) }
}

/**
 * Returns the actions that are possible now. A service that is being started or stopped is not pending any more: its
 * slot does the rest.
 */
export function plan(goals: Goals, services: Services): Plan {
  const stops = [...goals.stop].filter((name) =>
    dependentsOf(services, name).every((one) => isGone(services.get(one)?.state)),
  )
  const starts = [...goals.start].filter((name) => missingOf(services, name).length === 0)
  return {
    steps: [
      ...stops.map((name) => ({ verb: 'stop', name }) as const),
      ...starts.map((name) => ({ verb: 'start', name }) as const),
    ],
    goals: { start: without(goals.start, new Set(starts)), stop: without(goals.stop, new Set(stops)) },
  }
}

/** The goals with steps that were planned and are not taken yet. A goal wins over an earlier step. */
export function withSteps({ start, stop }: Goals, steps: ReadonlyMap<string, 'start' | 'stop'>): Goals {
  const named = (verb: 'start' | 'stop', unless: ReadonlySet<string>): string[] =>
    [...steps].flatMap(([name, other]) => (other === verb && !unless.has(name) ? [name] : []))
  return {
    start: new Set([...start, ...named('start', stop)]),
    stop: new Set([...stop, ...named('stop', start)]),
  }
}

/** Returns the services that a service still waits for. */
export const missingOf = (services: Services, name: string): readonly string[] =>
  (services.get(name)?.dependsOn ?? [])
    .filter((one) => !isSatisfied(one, services.get(one.name)))
    .map((one) => one.name)

/** @param on absent: there is no such slot */
export function isSatisfied(
  { until }: Dependency,
  on: Pick<PlannedService, 'state' | 'succeeded'> | undefined,
): boolean {
  switch (until) {
    case 'completed':
      return on?.state === 'done' || (on?.state === 'down' && on.succeeded === true)
    case 'started':
      return on?.state === 'starting' || on?.state === 'up' || on?.state === 'done'
    case 'ready':
      return on?.state === 'up' || on?.state === 'done'
  }
}

/** The facts of a slot that count for a dependency. */
export const dependedOn = (slot: Slot | undefined): Pick<PlannedService, 'state' | 'succeeded'> => {
  const { state = 'down', lastEnding } = slot ?? {}
  return { state, succeeded: lastEnding !== undefined && !lastEnding.asked && isSuccess(lastEnding.ending) }
}

/** It runs, has run, or is seen to by its slot: nothing has to be started. */
const isThere = (state: SlotState | undefined): boolean =>
  state === 'starting' || state === 'up' || state === 'done' || state === 'backoff'
const isGone = (state: SlotState | undefined): boolean => state === undefined || state === 'down' || state === 'parked'

const dependentsOf = (services: Services, name: string): readonly string[] =>
  [...services].filter(([, { dependsOn }]) => dependsOn.some((one) => one.name === name)).map(([of]) => of)

function closure(names: Iterable<string>, next: (name: string) => readonly string[]): ReadonlySet<string> {
  const found = new Set(names)
  // The iterator of a Set also visits elements added during the loop.
  for (const name of found) for (const one of next(name)) found.add(one)
  return found
}

const without = (names: ReadonlySet<string>, gone: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...names].filter((name) => !gone.has(name)))
