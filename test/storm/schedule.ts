// The faults of a storm, and their times: decided by the seed alone.
import { seededRandom } from './random.ts'

/** Keep a node from the database, or from everything, for a while. */
const LASTING = ['kill', 'pause', 'disconnect', 'drop-sent', 'drop-received', 'loss', 'delay'] as const
/** Are over at once; the rest is the node's own affair. */
const SUDDEN = ['kill-supervisor', 'kill-dispatcher'] as const

export type NodeFault = (typeof LASTING)[number] | (typeof SUDDEN)[number]
export type DatabaseFault = 'database-stop' | 'database-terminate'

export type Fault = {
  /** After the start of the storm. */
  readonly atMs: number
  /** Until it is undone; 0: it is over at once. */
  readonly lastsMs: number
} & (
  | { readonly kind: NodeFault; readonly node: string }
  /** `node`: only the connections of this node end; absent: all of them. */
  | { readonly kind: DatabaseFault; readonly node?: string }
)

export interface ScheduleOptions {
  readonly seed: number
  readonly durationMs: number
  /** A fault begins so often. */
  readonly everyMs: number
  /** A fault lasts twice as long at most. */
  readonly leaseMs: number
  readonly nodes: readonly string[]
}

/** A pause of so many leases and more is longer than a lease for everything that watches. */
const LONG_PAUSE = 1.25
const SHORTEST = 0.25
const LONGEST = 2
/** Leases from the return of the database to its next end: without it nothing goes on. */
const DATABASE_REST = 3

type Kind = Fault['kind']
const KINDS: readonly Kind[] = [...LASTING, ...SUDDEN, 'database-stop', 'database-terminate']

/**
 * A fault every `everyMs`. Of the kinds that are possible at the time, it is the one that was rarest so far. At most
 * one node, and the database, are away at a time, and the last fault is undone at the end.
 */
export function planFaults({ seed, durationMs, everyMs, leaseMs, nodes }: ScheduleOptions): readonly Fault[] {
  const random = seededRandom(seed)
  const times = new Map<Kind, number>()
  const faults: Fault[] = []
  let away = { node: '', untilMs: 0 }
  let databaseAwayUntilMs = -DATABASE_REST * leaseMs
  const lasts = (from: number): number => random.whole(from * leaseMs, LONGEST * leaseMs)
  for (let atMs = everyMs; atMs + LONGEST * leaseMs <= durationMs; atMs += everyMs) {
    const present = nodes.filter((node) => away.untilMs <= atMs || node !== away.node)
    const possible = KINDS.filter((kind) => {
      if (kind === 'database-stop') return databaseAwayUntilMs + DATABASE_REST * leaseMs <= atMs
      if (kind === 'database-terminate') return databaseAwayUntilMs <= atMs
      return isSudden(kind) ? present.length > 0 : present.length === nodes.length
    })
    const rarest = Math.min(...possible.map((kind) => times.get(kind) ?? 0))
    const [kind] = random.shuffled(possible.filter((one) => (times.get(one) ?? 0) === rarest))
    if (kind === undefined) continue
    times.set(kind, rarest + 1)
    const lastsMs =
      isSudden(kind) || kind === 'database-terminate' ? 0 : lasts(kind === 'pause' ? LONG_PAUSE : SHORTEST)
    if (kind === 'database-stop') {
      databaseAwayUntilMs = atMs + lastsMs
      faults.push({ atMs, lastsMs, kind })
    } else if (kind === 'database-terminate') {
      const some = present.length > 0 && random.chance(0.5)
      faults.push({ atMs, lastsMs, kind, ...(some && { node: random.pick(present) }) })
    } else {
      const node = random.pick(present)
      if (lastsMs > 0) away = { node, untilMs: atMs + lastsMs }
      faults.push({ atMs, lastsMs, kind, node })
    }
  }
  return faults
}

const isSudden = (kind: string): kind is (typeof SUDDEN)[number] => (SUDDEN as readonly string[]).includes(kind)

/** A fault on one line. */
export const faultLine = ({ atMs, lastsMs, kind, node }: Fault): string =>
  [
    `${(atMs / 1000).toFixed(1).padStart(6)} s  ${kind}`,
    ...(node === undefined ? [] : [node]),
    ...(lastsMs === 0 ? [] : [`for ${(lastsMs / 1000).toFixed(1)} s`]),
  ].join(' ')
