// The facts after a storm, and the files that are kept of one that failed.
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Board } from '../../src/kanban/port/board.ts'
import { exportBoard } from '../../src/kanban/transfer/export.ts'
import type { CheckedEvent, CheckedRun, CheckedTask, StormFacts, Violation } from './check/checker.ts'
import type { Happened } from './faults.ts'
import type { StormNode } from './nodes.ts'
import { faultLine } from './schedule.ts'

/** A board as text, and its rows. */
export interface Exported extends Pick<StormFacts, 'tasks' | 'links' | 'runs' | 'events'> {
  readonly text: string
}

/** Everything that the board says, as `hermes kanban export` writes it. */
export async function exported(board: Board): Promise<Exported> {
  const text = await board.snapshot(async (snapshot) => {
    const pieces: string[] = []
    for await (const piece of exportBoard(snapshot, board.place.slug)) pieces.push(piece.text)
    return pieces.join('')
  })
  const lines = text.trimEnd().split('\n')
  const rows = lines.flatMap((line) => Object.entries(JSON.parse(line) as Record<string, unknown>).slice(0, 1))
  const named = <Row>(word: string): readonly Row[] =>
    rows.flatMap(([name, row]) => (name === word ? [row as Row] : []))
  return {
    text,
    tasks: named<CheckedTask>('task'),
    links: named<StormFacts['links'][number]>('link'),
    runs: named<CheckedRun>('run'),
    events: named<CheckedEvent>('event'),
  }
}

export interface Evidence {
  readonly board: string | undefined
  readonly happened: readonly Happened[]
  readonly violations: readonly Violation[]
  readonly nodes: readonly StormNode[]
  readonly server: string
}

/** Files of a node's volume that say what it did. */
const OF_A_NODE = ['account', 'gateways', 'logs', 'config.yaml', 'node.id', 'kanban/dispatch', 'kanban/results']

/** Writes everything that may explain a failure into a new directory. */
export async function keepEvidence(dir: string, evidence: Evidence): Promise<void> {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const keep = (name: string, text: string): void => writeFileSync(join(dir, name), text)
  keep('violations.txt', evidence.violations.map((one) => `${violationLine(one)}\n`).join(''))
  keep('faults.txt', evidence.happened.map((one) => `${happenedLine(one)}\n`).join(''))
  keep('postgres.log', evidence.server)
  if (evidence.board !== undefined) keep('board.jsonl', evidence.board)
  for (const { name, box } of evidence.nodes) {
    const to = join(dir, name)
    mkdirSync(to)
    for (const path of OF_A_NODE) {
      const from = join(box.home, path)
      if (existsSync(from)) cpSync(from, join(to, path.replaceAll('/', '-')), { recursive: true })
    }
    const { stdout, stderr } = await box.logs()
    writeFileSync(join(to, 'container.log'), `${stdout}\n${stderr}`)
  }
}

export const violationLine = ({ rule, task, text }: Violation): string => `${rule}: ${task}: ${text}`

const happenedLine = ({ fault, beganAtMs, undoneAtMs, without }: Happened): string =>
  [
    new Date(beganAtMs).toISOString(),
    undoneAtMs === undefined || fault.lastsMs === 0 ? '' : new Date(undoneAtMs).toISOString(),
    faultLine(fault),
    without === undefined ? '' : `(${without})`,
  ].join('  ')
