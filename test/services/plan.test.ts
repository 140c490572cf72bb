import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Goals, missingOf, NO_GOALS, plan, wantStarted, wantStopped, withSteps } from '../../src/services/plan.ts'
import type { SlotState } from '../../src/slot/slot.ts'

interface One {
  readonly needs: readonly string[]
  readonly state: SlotState
  readonly until?: 'ready' | 'started' | 'completed'
  readonly succeeded?: true
}
const services = (of: Readonly<Record<string, One>>) =>
  new Map(
    Object.entries(of).map(([name, { needs, state, until = 'ready', succeeded }]) => [
      name,
      { dependsOn: needs.map((need) => ({ name: need, until })), state, ...(succeeded && { succeeded }) },
    ]),
  )
const steps = (goals: Goals, all: ReturnType<typeof services>): string[] =>
  plan(goals, all).steps.map(({ verb, name }) => `${verb} ${name}`)

describe('start', () => {
  test('brings what is needed, and each waits until its own needs are up or done', () => {
    const at = (db: SlotState, web: SlotState) =>
      services({
        db: { needs: [], state: db },
        web: { needs: ['db'], state: web },
        other: { needs: [], state: 'down' },
      })
    const goals = wantStarted(NO_GOALS, at('down', 'down'), ['web'])
    expect(steps(goals, at('down', 'down'))).toEqual(['start db'])
    const left = plan(goals, at('down', 'down')).goals
    expect(steps(left, at('starting', 'down'))).toEqual([])
    expect(missingOf(at('starting', 'down'), 'web')).toEqual(['db'])
    expect(steps(left, at('parked', 'down'))).toEqual([])
    expect(steps(left, at('up', 'down'))).toEqual(['start web'])
    expect(steps(left, at('done', 'down'))).toEqual(['start web'])
    expect(plan(left, at('up', 'down')).goals).toEqual(NO_GOALS)
  })

  test('with "started" a process is enough', () => {
    const all = services({
      log: { needs: [], state: 'starting' },
      web: { needs: ['log'], state: 'down', until: 'started' },
    })
    expect(steps(wantStarted(NO_GOALS, all, ['web']), all)).toEqual(['start web'])
  })

  test('with "completed" it has to have ended with 0, and is not run again for that', () => {
    const at = (state: SlotState, succeeded?: true) =>
      services({
        job: { needs: [], state, ...(succeeded && { succeeded }) },
        web: { needs: ['job'], state: 'down', until: 'completed' },
      })
    const goals = wantStarted(NO_GOALS, at('down'), ['web'])
    expect(steps(goals, at('down'))).toEqual(['start job'])
    const left = plan(goals, at('down')).goals
    for (const state of ['starting', 'up', 'backoff', 'parked'] as const) expect(steps(left, at(state))).toEqual([])
    expect(steps(left, at('down', true))).toEqual(['start web'])
    expect(steps(left, at('done'))).toEqual(['start web'])
    expect(steps(wantStarted(NO_GOALS, at('down', true), ['web']), at('down', true))).toEqual(['start web'])
    expect(steps(wantStarted(NO_GOALS, at('down', true), ['job']), at('down', true))).toEqual(['start job'])
  })

  test('leaves alone what is there, or about to be', () => {
    const all = services({ db: { needs: [], state: 'backoff' }, web: { needs: ['db'], state: 'up' } })
    expect(wantStarted(NO_GOALS, all, ['web'])).toEqual(NO_GOALS)
  })
})

describe('stop', () => {
  test('takes along what depends on it, and waits until that is gone', () => {
    const at = (web: SlotState) => services({ db: { needs: [], state: 'up' }, web: { needs: ['db'], state: web } })
    const goals = wantStopped(NO_GOALS, at('up'), 'db')
    expect(steps(goals, at('up'))).toEqual(['stop web'])
    const left = plan(goals, at('up')).goals
    expect(steps(left, at('stopping'))).toEqual([])
    expect(steps(left, at('down'))).toEqual(['stop db'])
  })

  test('the later command wins: a start keeps a service that was to be stopped, a stop takes back a start', () => {
    const all = services({ db: { needs: [], state: 'up' }, web: { needs: ['db'], state: 'up' } })
    expect(wantStarted(wantStopped(NO_GOALS, all, 'db'), all, ['web'])).toEqual(NO_GOALS)
    const down = services({ db: { needs: [], state: 'starting' }, web: { needs: ['db'], state: 'down' } })
    const waiting = wantStarted(NO_GOALS, down, ['web'])
    expect(wantStopped(waiting, down, 'db')).toEqual({ start: new Set(), stop: new Set(['db']) })
  })
})

/** Services on levels, each needing some of those below it: no circles. */
const anyServices = fc
  .array(fc.array(fc.nat({ max: 9 }), { maxLength: 3 }), { minLength: 1, maxLength: 10 })
  .map((needs) => needs.map((of, i) => [...new Set(of.filter((n) => n < i))].map((n) => `s${n}`)))
type Word = { readonly verb: 'start' | 'stop' | 'die' | 'settle'; readonly n: number }
const commands = fc.array(
  fc.record({
    verb: fc.constantFrom('start' as const, 'stop' as const, 'die' as const, 'settle' as const),
    n: fc.nat({ max: 9 }),
  }),
  { minLength: 20, maxLength: 60 },
)

/** Slots that obey, in their own time. */
class World {
  readonly needs: ReadonlyMap<string, readonly string[]>
  readonly states: Map<string, SlotState>
  goals: Goals = NO_GOALS

  constructor(needs: readonly (readonly string[])[]) {
    this.needs = new Map(needs.map((of, i) => [`s${i}`, of]))
    this.states = new Map([...this.needs.keys()].map((name) => [name, 'down']))
  }

  get services() {
    return services(
      Object.fromEntries(
        [...this.needs].map(([name, needs]) => [name, { needs, state: this.states.get(name) ?? 'down' }]),
      ),
    )
  }

  /** Each step is asked for only when it may be. */
  proceed(): void {
    const { steps: now, goals } = plan(this.goals, this.services)
    expect(plan(goals, this.services).steps).toEqual([])
    for (const { verb, name } of now) {
      if (verb === 'start') {
        for (const need of this.needs.get(name) ?? []) expect(this.states.get(need)).toBe('up')
        this.states.set(name, 'starting')
      } else {
        for (const [of, needs] of this.needs) if (needs.includes(name)) expect(this.states.get(of)).toBe('down')
        this.states.set(name, this.states.get(name) === 'down' ? 'down' : 'stopping')
      }
    }
    this.goals = goals
  }

  act({ verb, n }: Word): void {
    const name = `s${n % this.needs.size}`
    if (verb === 'start') this.goals = wantStarted(this.goals, this.services, [name])
    else if (verb === 'stop') this.goals = wantStopped(this.goals, this.services, name)
    else if (verb === 'die' && this.states.get(name) === 'up') this.states.set(name, 'backoff')
    else if (verb === 'settle') this.settleOne(name)
    this.proceed()
  }

  settleOne(name: string): void {
    const next: Partial<Record<SlotState, SlotState>> = { starting: 'up', stopping: 'down', backoff: 'starting' }
    const state = this.states.get(name) ?? 'down'
    this.states.set(name, next[state] ?? state)
  }

  settle(): void {
    for (let round = 0; round < 50; round++) {
      for (const name of this.needs.keys()) this.settleOne(name)
      this.proceed()
    }
  }
}

test('whatever is commanded, dies and settles in between: the order holds, and in the end the last command is fulfilled', () => {
  fc.assert(
    fc.property(anyServices, commands, fc.nat({ max: 9 }), fc.boolean(), (needs, said, n, start) => {
      const world = new World(needs)
      for (const command of said) world.act(command)
      world.act({ verb: start ? 'start' : 'stop', n })
      world.settle()
      expect(world.states.get(`s${n % needs.length}`)).toBe(start ? 'up' : 'down')
      expect(world.goals).toEqual(NO_GOALS)
    }),
    { numRuns: 500 },
  )
})

test('a step that is not taken yet counts as a goal, unless a later goal says otherwise', () => {
  const goals: Goals = { start: new Set(['a', 'b']), stop: new Set(['c']) }
  const steps = new Map([
    ['b', 'stop'],
    ['c', 'start'],
    ['d', 'start'],
    ['e', 'stop'],
  ] as const)
  expect(withSteps(goals, steps)).toEqual({ start: new Set(['a', 'b', 'd']), stop: new Set(['c', 'e']) })
})
