import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CONFIRM_MS,
  type Disk,
  type DiskProfile,
  emptyState,
  type KnownSlot,
  type Plan,
  planReconcile,
  type ReconcileState,
  type ReconcileStep,
} from '../../../src/supervisor/reconcile/plan.ts'

const profile = (name: string, dir = `1:${name}`, wanted: 'running' | 'stopped' | null = 'running'): DiskProfile => ({
  name,
  dir,
  desired: { wanted, priorState: wanted, priorExit: 'clean', warnings: [] },
})
const disk = (profiles: readonly DiskProfile[], rest: Partial<Disk> = {}): Disk => ({
  parent: '1:profiles',
  profiles: [profile('default', '1:home'), ...profiles],
  problems: [],
  moreProblems: 0,
  ...rest,
})
const slot = (name: string, rest: Partial<KnownSlot> = {}): KnownSlot => ({
  profile: name,
  living: true,
  removing: false,
  ...rest,
})
const brief = (steps: readonly ReconcileStep[]): string[] => steps.map(briefly)
function briefly(step: ReconcileStep): string {
  switch (step.type) {
    case 'register':
      return `${step.start ? 'start' : 'register'} ${step.profile}`
    case 'remove':
      return `remove ${step.profile}`
    case 'skip':
      return `skip ${step.name}`
    case 'skip-more':
      return `skip ${step.count} more`
    case 'keep':
      return `keep ${step.profiles.join(' ')}`
  }
}
/** State of a life in which these profiles were seen where they are. */
const seen = (d: Disk): ReconcileState =>
  planReconcile(
    d,
    d.profiles.map(({ name }) => slot(name)),
    emptyState,
    0,
  ).state

describe('boot', () => {
  test('starts what is wanted running, registers the rest, default first', () => {
    const plan = planReconcile(
      disk([profile('a', '1:a', 'stopped'), profile('b'), profile('c', '1:c', null)]),
      [],
      emptyState,
      0,
      true,
    )
    expect(brief(plan.steps)).toEqual(['start default', 'register a', 'start b', 'register c'])
  })

  test('carries what the boot log says', () => {
    const [step] = planReconcile(
      { parent: null, profiles: [profile('default', '1:home', 'stopped')], problems: [], moreProblems: 0 },
      [],
      emptyState,
      0,
    ).steps
    expect(step).toEqual({
      type: 'register',
      profile: 'default',
      start: false,
      priorState: 'stopped',
      priorExit: 'clean',
      warnings: [],
    })
  })

  test('an entry that cannot be a profile is skipped, reported once, and reported again only if it had been put right in between', () => {
    const bad = disk([], { problems: [{ name: 'Bad Name', reason: 'no name', maybe: false }] })
    const slots = [slot('default')]
    const first = planReconcile(bad, slots, emptyState, 0)
    expect(brief(first.steps)).toEqual(['skip Bad Name'])
    const second = planReconcile(bad, slots, first.state, 1)
    expect(second.steps).toEqual([])
    const good = planReconcile(disk([]), slots, second.state, 2)
    expect(brief(planReconcile(bad, slots, good.state, 3).steps)).toEqual(['skip Bad Name'])
  })

  test('twenty entries that are not profiles are named in a container’s life, and the rest is counted once', () => {
    const strays = (from: number, count: number): Disk['problems'] =>
      Array.from({ length: count }, (_, i) => ({ name: `Stray ${from + i}`, reason: 'no name', maybe: false }))
    const slots = [slot('default')]
    const few = planReconcile(disk([], { problems: strays(0, 3) }), slots, emptyState, 0)
    expect(brief(few.steps)).toEqual(['skip Stray 0', 'skip Stray 1', 'skip Stray 2'])
    const many = disk([], { problems: strays(0, 20), moreProblems: 49_980 })
    const first = planReconcile(many, slots, few.state, 1)
    expect(brief(first.steps).slice(0, 2)).toEqual(['skip Stray 3', 'skip Stray 4'])
    expect(brief(first.steps).slice(16)).toEqual(['skip Stray 19', 'skip 49980 more'])
    // Whatever is moved in and out from then on: nothing is reported again, and nothing more is remembered.
    const others = disk([], { problems: strays(100, 20), moreProblems: 7 })
    const second = planReconcile(others, slots, first.state, 2)
    expect(second.steps).toEqual([])
    const third = planReconcile(many, slots, JSON.parse(JSON.stringify(second.state)) as ReconcileState, 3)
    expect(third.steps).toEqual([])
    expect(third.state.reported.length).toBeLessThanOrEqual(20)
  })

  test('of two names for one directory only the first is started', () => {
    const plan = planReconcile(disk([profile('a', '1:x'), profile('link', '1:x')]), [], emptyState, 0, true)
    expect(brief(plan.steps)).toEqual(['start default', 'start a', 'register link'])
    expect(plan.steps[2]).toMatchObject({ warnings: [expect.stringContaining('gateway of a uses its directory')] })
    expect(plan.againAtMs).toBeUndefined()
  })
})

describe('a profile that appears while the container runs', () => {
  test('is registered, not started, whatever its files say', () => {
    const plan = planReconcile(disk([profile('a')]), [slot('default')], seen(disk([])), 0)
    expect(brief(plan.steps)).toEqual(['register a'])
    expect(plan.steps[0]).toMatchObject({ priorState: 'running', warnings: [] })
  })

  test('but one that had a slot, whose state file is lost, is wanted as before', () => {
    expect(brief(planReconcile(disk([profile('a')]), [slot('default')], seen(disk([profile('a')])), 0).steps)).toEqual([
      'start a',
    ])
  })

  test('as one that was removed did, is a new one, in the turn of the removal and after its process has ended', () => {
    const before = disk([profile('a')])
    const gone = planReconcile(disk([]), [slot('default'), slot('a')], seen(before), 0)
    const removed = planReconcile(disk([]), [slot('default'), slot('a')], gone.state, CONFIRM_MS)
    expect(brief(removed.steps)).toEqual(['remove a'])
    const startedThere = slot('a', { removing: true, dir: '1:a' })
    const back = disk([profile('a', '1:new')])
    expect(brief(planReconcile(back, [slot('default')], removed.state, CONFIRM_MS).steps)).toEqual(['register a'])
    for (const meanwhile of [disk([]), back]) {
      const ending = planReconcile(meanwhile, [slot('default'), startedThere], removed.state, CONFIRM_MS)
      expect(ending.steps).toEqual([])
      expect(brief(planReconcile(back, [slot('default')], ending.state, CONFIRM_MS).steps)).toEqual(['register a'])
    }
  })
})

describe.each([{ boot: true }, { boot: false }])('a copied directory (boot: $boot)', ({ boot }) => {
  test('is not started, its files are void, and a warning names the original', () => {
    const copy: DiskProfile = { ...profile('b'), copyOf: 'a' }
    const plan = planReconcile(disk([profile('a'), copy]), [slot('default'), slot('a')], emptyState, 0, boot)
    expect(plan.steps).toEqual([
      {
        type: 'register',
        profile: 'b',
        start: false,
        priorState: null,
        priorExit: 'unknown',
        warnings: [expect.stringContaining('the profile b is a copy of a')],
        copyOf: 'a',
      },
    ])
  })

  test('or a renamed one: its files get the new name', () => {
    const renamed: DiskProfile = { ...profile('b'), formerName: 'a' }
    const [step] = planReconcile(disk([renamed]), [slot('default')], emptyState, 0, boot).steps
    expect(step).toMatchObject({ profile: 'b', start: boot, renamed: true, priorState: 'running' })
  })
})

describe('a profile that is gone', () => {
  const before = disk([profile('a'), profile('b')])
  const slots = [slot('default'), slot('a'), slot('b')]
  const without = disk([profile('b')])

  test('loses its slot when it is still gone two seconds later, not before', () => {
    const first = planReconcile(without, slots, seen(before), 10_000)
    expect(first).toMatchObject({ steps: [], againAtMs: 10_000 + CONFIRM_MS })
    const early = planReconcile(without, slots, first.state, 10_000 + CONFIRM_MS - 1)
    expect(early).toMatchObject({ steps: [], againAtMs: 10_000 + CONFIRM_MS })
    const due = planReconcile(without, slots, early.state, 10_000 + CONFIRM_MS)
    expect(brief(due.steps)).toEqual(['remove a'])
  })

  test('and comes back in time keeps it; the next loss waits two seconds again', () => {
    const first = planReconcile(without, slots, seen(before), 0)
    const back = planReconcile(before, slots, first.state, 1000)
    expect(back.steps).toEqual([])
    const again = planReconcile(without, slots, back.state, 2500)
    expect(again).toMatchObject({ steps: [], againAtMs: 2500 + CONFIRM_MS })
  })

  test('is not removed twice while the removal is under way', () => {
    const first = planReconcile(without, slots, seen(before), 0)
    const removing = [slot('default'), slot('a', { removing: true }), slot('b')]
    expect(planReconcile(without, removing, first.state, 9999).steps).toEqual([])
  })

  test('together with profiles/ itself keeps its slot permanently, and that is reported once', () => {
    const lost = disk([], { parent: null })
    const first = planReconcile(lost, slots, seen(before), 0)
    expect(first.steps).toEqual([
      { type: 'keep', profiles: ['a', 'b'], reason: expect.stringContaining('cannot be read') },
    ])
    const later = planReconcile(lost, slots, first.state, 3_600_000)
    expect(later.steps).toEqual([])
    // The mount is back: as if nothing had been.
    expect(planReconcile(before, slots, later.state, 3_600_001)).toMatchObject({ steps: [] })
  })

  test('in another directory that has come in the place of profiles/ keeps its slot', () => {
    const other = disk([], { parent: '2:empty-mount-point' })
    const first = planReconcile(other, slots, seen(before), 0)
    expect(brief(first.steps)).toEqual(['keep a b'])
    expect(planReconcile(other, slots, first.state, 3_600_000).steps).toEqual([])
  })

  test('that was last seen while profiles/ could not be identified keeps its slot while that is so', () => {
    const unsure = disk([profile('a'), profile('b')], { parent: null })
    const first = planReconcile(disk([], { parent: null }), slots, seen(unsure), 0)
    expect(brief(planReconcile(disk([], { parent: null }), slots, first.state, 9999).steps)).toEqual([])
  })

  test('from a restored profiles/ goes once it had been seen in there', () => {
    const restored = disk([profile('a', '2:a'), profile('b', '2:b')], { parent: '2:profiles' })
    const known = planReconcile(restored, slots, seen(before), 0)
    const gone = disk([profile('b', '2:b')], { parent: '2:profiles' })
    const first = planReconcile(gone, slots, known.state, 1)
    expect(brief(planReconcile(gone, slots, first.state, 1 + CONFIRM_MS).steps)).toEqual(['remove a'])
  })

  test('a lost mount within the two seconds starts the wait anew', () => {
    const first = planReconcile(without, slots, seen(before), 0)
    const lost = planReconcile(disk([], { parent: null }), slots, first.state, 1000)
    const back = planReconcile(without, slots, lost.state, 2500)
    expect(back.steps).toEqual([])
    expect(back.againAtMs).toBe(2500 + CONFIRM_MS)
  })

  test('but something is under its name that may be it, keeps its slot', () => {
    const dangling = disk([profile('b')], { problems: [{ name: 'a', reason: 'leads nowhere', maybe: true }] })
    const first = planReconcile(dangling, slots, seen(before), 0)
    expect(brief(first.steps)).toEqual(['skip a'])
    expect(planReconcile(dangling, slots, first.state, 3_600_000).steps).toEqual([])
  })

  test('and is a file now, loses it', () => {
    const file = disk([profile('b')], { problems: [{ name: 'a', reason: 'not a directory', maybe: false }] })
    const first = planReconcile(file, slots, seen(before), 0)
    expect(brief(planReconcile(file, slots, first.state, CONFIRM_MS).steps)).toEqual(['remove a'])
  })

  test('when nothing is remembered of it, keeps its slot: absence alone proves nothing', () => {
    const first = planReconcile(without, slots, emptyState, 0)
    expect(brief(first.steps)).toEqual(['keep a'])
    expect(planReconcile(without, slots, first.state, 3_600_000).steps).toEqual([])
  })

  test('never is default', () => {
    const home = [slot('default')]
    expect(planReconcile(disk([]), home, seen(before), 0).steps).toEqual([])
  })
})

describe('mv a b', () => {
  const before = disk([profile('a', '1:x')])
  const after = disk([profile('b', '1:x')])

  test("b waits while a's process is in that directory, then has a slot, which is down", () => {
    const slots = [slot('default'), slot('a')]
    const first = planReconcile(after, slots, seen(before), 0)
    expect(brief(first.steps)).toEqual(['skip b'])
    expect(first.againAtMs).toBe(CONFIRM_MS)
    const second = planReconcile(after, slots, first.state, CONFIRM_MS)
    expect(brief(second.steps)).toEqual(['remove a'])
    const stopping = planReconcile(after, [slot('default'), slot('a', { removing: true })], second.state, 5000)
    expect(stopping).toMatchObject({ steps: [], againAtMs: 5000 + CONFIRM_MS })
    const third = planReconcile(after, [slot('default')], stopping.state, 7000)
    expect(brief(third.steps)).toEqual(['register b'])
  })

  test('with a down: b is registered at once', () => {
    const first = planReconcile(after, [slot('default'), slot('a', { living: false })], seen(before), 0)
    expect(brief(first.steps)).toEqual(['register b'])
  })

  test('and a new a in its place: b still waits for the process that runs in its directory', () => {
    const swapped = disk([profile('a', '1:y'), profile('b', '1:x')])
    const first = planReconcile(swapped, [slot('default'), slot('a')], seen(before), 0)
    expect(brief(first.steps)).toEqual(['register b'])
    // Wherever b goes from here, a's process is remembered to run in it.
    const further = disk([profile('a', '1:y'), profile('c', '1:x')])
    const second = planReconcile(further, [slot('default'), slot('a'), slot('b', { living: false })], first.state, 1)
    expect(brief(second.steps)).toEqual(['register c'])
    const told = planReconcile(swapped, [slot('default'), slot('a', { dir: '1:y' })], seen(before), 0)
    expect(brief(told.steps)).toEqual(['register b'])
  })
})

test('the state is plain JSON', () => {
  const { state } = planReconcile(disk([profile('a')]), [slot('b')], seen(disk([profile('b')])), 77)
  expect(JSON.parse(JSON.stringify(state))).toEqual(state)
})

// --- random histories
// ------------------------------------------------------------------------------------------------------------

const NAMES = ['a', 'b', 'c', 'd'] as const
type Name = (typeof NAMES)[number]
type Happening =
  | { type: 'create' | 'delete' | 'die'; name: Name }
  | { type: 'move'; from: Name; to: Name }
  | { type: 'mount' | 'unmount' | 'replace' | 'forget' }
  | { type: 'pass'; ms: number }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('create' as const), name: fc.constantFrom(...NAMES) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), name: fc.constantFrom(...NAMES) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('die' as const), name: fc.constantFrom(...NAMES) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('move' as const),
      from: fc.constantFrom(...NAMES),
      to: fc.constantFrom(...NAMES),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('mount' as const, 'unmount', 'replace', 'forget') }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
)

/** A volume and the slots on it, as the supervisor would apply the plan: removals end at the next look. */
class World {
  readonly #toldDirs: boolean
  nowMs = 0
  mounted = true
  #generation = 1
  #inode = 1
  readonly dirs = new Map<Name, string>()
  readonly slots = new Map<string, { living: boolean; removing: boolean; dir: string | undefined }>()
  state = emptyState
  /** Since when each name has been absent from a readable, unreplaced profiles/. */
  readonly absentSinceMs = new Map<string, number>()

  /** @param toldDirs the slots say which directory their process was started in */
  constructor(toldDirs: boolean) {
    this.#toldDirs = toldDirs
  }

  /** A removal that was under way has ended by the time the next thing happens. */
  happen(event: Happening): void {
    for (const [name, one] of this.slots) if (one.removing) this.slots.delete(name)
    if (event.type === 'create' && this.mounted && !this.dirs.has(event.name))
      this.dirs.set(event.name, `${this.#generation}:${this.#inode++}`)
    if (event.type === 'delete' && this.mounted) this.dirs.delete(event.name)
    if (event.type === 'move' && this.mounted) {
      const dir = this.dirs.get(event.from)
      if (dir !== undefined && !this.dirs.has(event.to)) {
        this.dirs.delete(event.from)
        this.dirs.set(event.to, dir)
      }
    }
    if (event.type === 'die') {
      const dead = this.slots.get(event.name)
      if (dead !== undefined && !dead.removing) dead.living = false
    }
    if (event.type === 'mount') this.mounted = true
    if (event.type === 'unmount') this.mounted = false
    if (event.type === 'replace') {
      this.#generation++
      this.dirs.clear()
    }
    // Earlier sightings are the only evidence where the slots do not say where they run: forgetting them would forget
    // that.
    if (event.type === 'forget' && this.#toldDirs) this.state = emptyState
    if (event.type === 'pass') this.nowMs += event.ms
  }

  get disk(): Disk {
    const named = [...this.dirs].sort(([a], [b]) => (a < b ? -1 : 1))
    return disk(this.mounted ? named.map(([name, dir]) => profile(name, dir)) : [], {
      parent: this.mounted ? `${this.#generation}:profiles` : null,
    })
  }

  get known(): KnownSlot[] {
    return [...this.slots].map(([name, { living, removing, dir }]) =>
      slot(name, { living, removing, ...(this.#toldDirs && dir !== undefined ? { dir } : {}) }),
    )
  }

  plan(): Plan {
    // As at a boot: a profile that starts by itself is the harder case.
    return planReconcile(this.disk, this.known, this.state, this.nowMs, true)
  }

  apply(plan: Plan): void {
    this.state = plan.state
    for (const step of plan.steps) {
      if (step.type === 'register')
        this.slots.set(step.profile, {
          living: step.start,
          removing: false,
          dir: this.disk.profiles.find(({ name }) => name === step.profile)?.dir,
        })
      const removed = step.type === 'remove' ? this.slots.get(step.profile) : undefined
      if (removed !== undefined) removed.removing = true
    }
  }
}

/** As expect, without what that costs a hundred thousand times. */
function must(claim: boolean, what: string): void {
  if (!claim) throw new Error(what)
}

test('whatever happens: no two processes in one directory, no removal without two seconds of proof, no step twice', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(happening, { minLength: 20, maxLength: 60 }), (toldDirs, history) => {
      const world = new World(toldDirs)
      for (const event of history) {
        world.happen(event)
        const { disk: d, known } = world
        const present = new Set(d.profiles.map(({ name }) => name))
        for (const { profile: name } of known) {
          if (present.has(name) || d.parent === null || event.type === 'replace') world.absentSinceMs.delete(name)
          else if (!world.absentSinceMs.has(name)) world.absentSinceMs.set(name, world.nowMs)
        }
        const frozen = JSON.stringify([d, known, world.state])
        const plan = world.plan()
        must(JSON.stringify([d, known, world.state]) === frozen, 'a plan changes what it was given')
        for (const step of plan.steps)
          if (step.type === 'remove')
            must(
              world.nowMs - (world.absentSinceMs.get(step.profile) ?? world.nowMs) >= CONFIRM_MS,
              `${step.profile} is removed without proof`,
            )
        // Nothing is planned for something that is under way, so a plan that has been applied is empty.
        world.apply(plan)
        for (const one of plan.steps) if (one.type === 'register') world.absentSinceMs.delete(one.profile)
        must(world.plan().steps.length === 0, `planned twice: ${brief(world.plan().steps)}`)
        const used = [...world.slots.values()].filter(({ living }) => living).map(({ dir }) => dir)
        must(new Set(used).size === used.length, `one process for each of ${used}`)
      }
      // Once the world stands still, it and the slots agree.
      world.happen({ type: 'mount' })
      for (let i = 0; i < 5; i++) {
        world.apply(world.plan())
        world.happen({ type: 'pass', ms: CONFIRM_MS })
      }
      world.apply(world.plan())
      for (const { name } of world.disk.profiles) must(world.slots.has(name), `${name} has no slot`)
      must(world.plan().steps.length === 0, 'there is no end to it')
    }),
    { numRuns: 500 },
  )
})
