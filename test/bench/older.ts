import { whyNoBrowser } from '../support/dashboard/browser.ts'
import { overviewOnce } from './dashboard-page.ts'
import { Instance } from './instance.ts'
import { type Effort, interleaved } from './row.ts'
import { bootAndStopOnce } from './rows/boot-and-stop.ts'
import { logOnce } from './rows/log.ts'
import { memoryOnce, SETTLED_MS } from './rows/memory.ts'
import { restartOnce } from './rows/restart.ts'
import { takeoverOnce } from './rows/takeover.ts'
import { median } from './statistics.ts'
import type { Subject } from './subject.ts'

/** Largest allowed ratio of this build's figure to the older build's. */
const BOUND = 1.05

/** The image's runtime user. */
const RUNTIME_UID = 10_000

/** One figure of both builds, measured in turn. */
export interface Ratio {
  readonly title: string
  readonly unit: string
  readonly older: number
  readonly ours: number
  /**
   * Median over the rounds of what ours takes of what the older build takes; of throughput the inverse, so less is
   * better.
   */
  readonly ratio: number
  readonly bound: number
  readonly rounds: number
}

interface Figure {
  readonly title: string
  readonly unit: string
  readonly more?: boolean
  /** Default: {@link BOUND}; less where this build has to stay ahead of the one of 6ce93f8. */
  readonly bound?: number
}

interface Plan {
  readonly group: string
  readonly rounds: number
  readonly figures: Readonly<Record<string, Figure>>
  measure(subject: Subject): Promise<Readonly<Record<string, number>>>
}

const boot = (slots: number, rounds: number, stopBound?: number): Plan => ({
  group: 'boot stop',
  rounds,
  figures: {
    boot: { title: `boot: PID 1 → first act of ${slots} slots`, unit: 'ms' },
    stop: {
      title: `stop: ${slots} slots asked to stop → PID 1 gone`,
      unit: 'ms',
      ...(stopBound !== undefined && { bound: stopBound }),
    },
  },
  measure: (subject) => bootAndStopOnce(subject, slots),
})

/** CPU time of a command, many times in one instance: on a busy machine wall time tells little. */
const commandCpu = async (
  subject: Subject,
  slots: number,
  times: number,
  words: readonly string[],
): Promise<number> => {
  await using instance = await Instance.start(subject, { slots })
  await instance.allStarted()
  const [hermes = ''] = instance.status('s0')
  let cpuMs = 0
  for (let round = 0; round < times; round++) {
    for (const word of words) cpuMs += (await instance.inside([hermes, ...word.split(' ')], { uid: RUNTIME_UID })).cpuMs
  }
  await instance.stop()
  return cpuMs / times / words.length
}

const memory = (slots: number, rounds: number): Plan => ({
  group: 'memory',
  rounds,
  figures: { memory: { title: `memory: supervision of ${slots} slots`, unit: 'MB' } },
  measure: async (subject) => ({ memory: await memoryOnce(subject, slots, SETTLED_MS) }),
})

const takeover = (slots: number, rounds: number): Plan => ({
  group: 'takeover',
  rounds,
  figures: { takeover: { title: `control: SIGKILL of the supervisor → answer, ${slots} slots`, unit: 'ms' } },
  measure: async (subject) => ({ takeover: median(await takeoverOnce(subject, slots, 3)) }),
})

const PLANS: readonly Plan[] = [
  boot(1, 31),
  boot(10, 31),
  boot(100, 15, 0.85),
  {
    group: 'restart',
    rounds: 15,
    figures: { restart: { title: 'restart: SIGKILL of an up slot → new process', unit: 'ms' } },
    measure: async (subject) => ({ restart: median(await restartOnce(subject, 6)) }),
  },
  {
    group: 'log',
    rounds: 15,
    figures: {
      speed: { title: 'log path, 100-byte lines, one slot', unit: 'MB/s', more: true },
      cpu: { title: 'log path, CPU', unit: 'CPU s/GB' },
      leftOut: { title: 'log path, lines left out of stdout', unit: 'lines' },
    },
    measure: (subject) => logOnce(subject, 400e6),
  },
  {
    group: 'log',
    rounds: 7,
    figures: {
      speed: { title: 'log path, 100-byte lines, 20 slots', unit: 'MB/s', more: true },
      cpu: { title: 'log path, 20 slots, CPU', unit: 'CPU s/GB' },
      leftOut: { title: 'log path, 20 slots, lines left out of stdout', unit: 'lines' },
    },
    measure: (subject) => logOnce(subject, 400e6, 20),
  },
  memory(10, 11),
  memory(300, 11),
  takeover(1, 11),
  takeover(20, 11),
  {
    group: 'status',
    rounds: 15,
    figures: { status: { title: 'status of one service, the command', unit: 'ms' } },
    measure: async (subject) => ({ status: await statusOnce(subject, 5) }),
  },
  {
    group: 'control',
    rounds: 5,
    figures: { control: { title: 'gateway stop and start, CPU', unit: 'ms', bound: 0.75 } },
    measure: async (subject) => ({ control: await commandCpu(subject, 1, 5, ['gateway stop', 'gateway start']) }),
  },
  {
    group: 'many',
    rounds: 3,
    figures: { status: { title: 'status of 1,000 slots, CPU', unit: 'ms', bound: 0.75 } },
    measure: async (subject) => ({ status: await commandCpu(subject, 1000, 10, ['status']) }),
  },
  {
    group: 'page',
    rounds: 5,
    figures: {
      paint: { title: 'overview of 1,000 profiles, first paint', unit: 'ms' },
      rows: { title: 'overview of 1,000 profiles, first rows painted', unit: 'ms', bound: 0.75 },
      drawn: { title: 'overview of 1,000 profiles, a death is painted', unit: 'ms' },
    },
    measure: async ({ install }) => {
      if (install === undefined) throw new Error('only a build of ours has a page')
      return await overviewOnce(install, 1000)
    },
  },
]

/**
 * This build beside an older one, round after round, each first in every other round. `only`: groups with that text in
 * their name.
 */
export async function besideOlder(
  older: Subject,
  ours: Subject,
  { quick, say }: Effort,
  only: string,
): Promise<Ratio[]> {
  const ratios: Ratio[] = []
  for (const { group, rounds, figures, measure } of PLANS) {
    if (!group.includes(only)) continue
    const why = group === 'page' ? whyNoBrowser() : undefined
    if (why !== undefined) {
      say(`left out the dashboard's page: ${why}`)
      continue
    }
    say(`${group}: ${Object.values(figures)[0]?.title}`)
    const cells = await interleaved([older, ours], quick ? 1 : rounds, measure)
    for (const [key, { title, unit, more = false, bound = BOUND }] of Object.entries(figures)) {
      const { [older.name]: theirs, [ours.name]: own } = cells(key)
      if (theirs === undefined || 'missing' in theirs) throw new Error(`${title}: the older build: ${theirs?.missing}`)
      if (own === undefined || 'missing' in own) throw new Error(`${title}: ${own?.missing}`)
      const perRound = own.samples.map((value, round) => {
        const was = theirs.samples[round] ?? Number.NaN
        if (value === was) return 1 // of lines that are missing: none
        return more ? was / value : value / was
      })
      const ratio = median(perRound)
      ratios.push({ title, unit, older: theirs.median, ours: own.median, ratio, bound, rounds: perRound.length })
    }
  }
  return ratios
}

export const isAbove = ({ ratio, bound }: Ratio): boolean => ratio > bound

/** The ratios as text, a line each. */
export function ratioTable(ratios: readonly Ratio[]): string {
  const line = (one: Ratio): string =>
    `${one.title}: ${one.ratio.toFixed(2)} × (${one.older.toFixed(1)} → ${one.ours.toFixed(1)} ${one.unit}, ` +
    `${one.rounds} rounds)${isAbove(one) ? ` ABOVE ${one.bound}` : ''}`
  return ratios.map(line).join('\n')
}

async function statusOnce(subject: Subject, times: number): Promise<number> {
  await using instance = await Instance.start(subject, { slots: 3 })
  await instance.allStarted()
  const uid = process.getuid?.() === 0 ? { uid: RUNTIME_UID } : {}
  const samples: number[] = []
  for (let round = 0; round < times; round++) samples.push((await instance.inside(instance.status('s0'), uid)).ms)
  await instance.stop()
  return median(samples)
}
