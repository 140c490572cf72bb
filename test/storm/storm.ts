// A storm: some nodes share one board in PostgreSQL, and every two seconds something breaks.
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres } from '../support/kanban/postgres.ts'
import { freePort } from '../support/port.ts'
import { check, type Pause, type StormFacts, type Violation } from './check/checker.ts'
import { type Exported, exported, keepEvidence } from './evidence.ts'
import { Faults, type Happened } from './faults.ts'
import { Feeder } from './feeder.ts'
import { figures } from './figures.ts'
import { makeNetwork, StormNode, type StormProfile } from './nodes.ts'
import { Progress } from './progress.ts'
import { planFaults } from './schedule.ts'
import { planWork } from './work.ts'

export interface StormOptions {
  /** Decides the faults and the tasks. */
  readonly seed: number
  /** How long faults begin. */
  readonly durationMs: number
  readonly tasks: number
  /** How many containers. */
  readonly nodes: number
  /** Keep everything also if all of it holds. */
  readonly keep?: boolean
  /** One line for each fault, and for how far it is. */
  readonly say: (line: string) => void
}

export interface StormResult {
  readonly violations: readonly Violation[]
  /** Lines for people. */
  readonly figures: readonly string[]
  /** Where everything is kept that may explain the violations. */
  readonly evidence?: string
}

const LEASE_MS = 6000
const EVERY_MS = 2000
const CAPS = { perProfile: 2, board: 12 }
const PROFILES = 12
/** Share of the tasks that are made with `--once`. */
const ONCE = 0.1
/** After the last fault: the storm ends when nothing has changed for so long, whatever is still to do. */
const STALLED_MS = 120_000
const LOOK_MS = 1000
/** After a long pause: TERM, KILL 5 s later, and a machine with other work. */
const WINDOW_MS = 8000
const NAMES = ['ada', 'bob', 'cyd', 'dee', 'eve', 'fay'] as const

/** Where what explains a failure is kept. */
const evidenceDir = (seed: number): string => join(import.meta.dirname, '../../test-output', `storm-${seed}`)

/** @throws when the storm itself cannot go on: an engine that fails, a fault that cannot be undone */
export async function runStorm({
  seed,
  durationMs,
  tasks,
  nodes: count,
  keep = false,
  say,
}: StormOptions): Promise<StormResult> {
  const names = NAMES.slice(0, count)
  const profiles = new Map(names.map((name) => [name, profilesOf(name, count)]))
  const gateways = [...profiles].flatMap(([node, all]) =>
    all.map(({ name, wanted }) => ({ profile: name, node, wanted })),
  )
  const work = planWork(
    seed,
    tasks,
    gateways.map(({ profile }) => profile),
    ONCE,
  )
  const schedule = planFaults({ seed, durationMs, everyMs: EVERY_MS, leaseMs: LEASE_MS, nodes: names })
  await using network = await makeNetwork(`hermes-storm-${seed}`)
  const databasePort = await freePort()
  const tcp = { host: network.gateway, port: databasePort, password: 'storm' }
  await using server = await startPostgres({ durable: true, tcp })
  await using feeder = await Feeder.start(server.url)
  await using started = new AsyncDisposableStack()
  const nodes = await Promise.all(
    names.map(async (name) =>
      started.use(
        await StormNode.start({
          name,
          network: network.name,
          database: server.url,
          profiles: profiles.get(name) ?? [],
          kanban: {
            dispatch_interval_seconds: 1,
            node_lease: LEASE_MS / 1000,
            max_in_progress_per_profile: CAPS.perProfile,
            max_in_progress: CAPS.board,
          },
        }),
      ),
    ),
  )
  await Promise.all(nodes.map(({ box }) => box.up('dispatcher', { deadlineMs: 60_000 })))

  const faults = new Faults({ nodes, server, databaseHost: network.gateway, databasePort }, say)
  const progress = new Progress(feeder, faults, { durationMs, tasks, say })
  let board: Exported | undefined
  let violations: readonly Violation[] = []
  try {
    await Promise.all([feeder.run(work, durationMs * 0.9), faults.run(schedule), progress.run()])
    await progress.untilQuiet(STALLED_MS)
    const up = await gatewaysUp(nodes, gateways)
    board = await exported(feeder.board)
    const facts = {
      made: feeder.made,
      ...board,
      lives: nodes.flatMap((node) => node.lives()),
      pauses: pausesIn(faults.happened),
      caps: CAPS,
      windowMs: WINDOW_MS,
      gateways,
      up,
      gatewayLives: nodes.flatMap((node) => node.gatewayLives()),
      kills: killsIn(faults.happened),
    }
    violations = check(facts)
    const result = { violations, figures: figures(facts, faults.happened) }
    return violations.length === 0 && !keep ? result : { ...result, evidence: await keepAll() }
  } catch (error) {
    throw new Error(`the storm broke off; everything is kept in ${await keepAll()}`, { cause: error })
  }

  async function keepAll(): Promise<string> {
    const dir = evidenceDir(seed)
    await keepEvidence(dir, { board: board?.text, happened: faults.happened, violations, nodes, server: server.log() })
    return dir
  }
}

/** The profiles of a node: as many on each, and no name twice. One does its tasks without a gateway. */
const profilesOf = (node: string, nodes: number): readonly StormProfile[] =>
  Array.from({ length: PROFILES / nodes }, (_, index) => ({ name: `${node}${index + 1}`, wanted: index > 0 }))

/** Where gateways are up at the end. A node that has just come back has some time to start its own. */
async function gatewaysUp(nodes: readonly StormNode[], gateways: StormFacts['gateways']): Promise<StormFacts['up']> {
  const untilMs = Date.now() + STALLED_MS
  for (;;) {
    const up = await Promise.all(
      nodes.map(async (node) => {
        const profiles = await node.up().catch(() => []) // its supervisor does not answer yet
        return profiles.map((profile) => ({ node: node.name, profile }))
      }),
    )
    const found = up.flat()
    const isThere = gateways.every((one) => !one.wanted || found.some(({ profile }) => profile === one.profile))
    if (isThere || Date.now() >= untilMs) return found
    await pause(LOOK_MS)
  }
}

/** How often each node's container was killed. */
function killsIn(happened: readonly Happened[]): ReadonlyMap<string, number> {
  const killed = happened.flatMap(({ fault }) => (fault.kind === 'kill' ? [fault.node] : []))
  return new Map([...Map.groupBy(killed, (node) => node)].map(([node, all]) => [node, all.length]))
}

const pausesIn = (happened: readonly Happened[]): readonly Pause[] =>
  happened.flatMap(({ fault, beganAtMs, undoneAtMs = Number.POSITIVE_INFINITY }) =>
    fault.kind === 'pause' ? [{ node: fault.node, fromMs: beganAtMs, toMs: undoneAtMs }] : [],
  )
