import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { descendants, isZombie, listProcesses } from '../../system/programs/proc.ts'
import type { Context } from './context.ts'

/** Below this share of free space the disk counts as full. */
const LOW_SHARE = 0.02
const LOW_BYTES = 100_000_000

/** What the host has to say besides the supervisor: a full disk, zombies that their parents leave lying. */
export const hostWarnings = (context: Pick<Context, 'home' | 'paths'>): readonly string[] => [
  ...diskWarnings(context.home),
  ...zombieWarnings(findZombies(context.paths.initPid)),
]

export function diskWarnings(home: string): readonly string[] {
  let stat: ReturnType<typeof statfsSync>
  try {
    stat = statfsSync(home)
  } catch (error) {
    return [`${home} cannot be looked at: ${(error as Error).message}`]
  }
  const freeBytes = stat.bavail * stat.bsize
  const full = stat.blocks > 0 && stat.bavail / stat.blocks < LOW_SHARE && freeBytes < LOW_BYTES
  return full
    ? [`the disk of ${home} is nearly full: ${Math.round(freeBytes / 1e6)} MB are free; logs are dropped when it is`]
    : []
}

export interface Zombie {
  readonly pid: number
  readonly name: string
  readonly parent: number
  readonly parentName: string
}

/**
 * Dead processes below our init whose parent has not asked for their exit code: a host has others, which are not our concern.
 * @param initPid the file with init's pid; without it nothing is ours
 */
export function findZombies(initPid: string): readonly Zombie[] {
  const init = existsSync(initPid) ? Number(readFileSync(initPid, 'latin1')) : Number.NaN
  if (!Number.isInteger(init)) return []
  const all = listProcesses()
  const nameOf = (pid: number): string => all.find((process) => process.pid === pid)?.comm ?? '?'
  return descendants(all, init)
    .filter(isZombie)
    .map(({ pid, comm, ppid }) => ({ pid, name: comm, parent: ppid, parentName: nameOf(ppid) }))
}

/** One line per parent. PID 1 reaps within milliseconds, so its zombies are not worth a warning. */
export function zombieWarnings(zombies: readonly Zombie[]): readonly string[] {
  const parents = new Map<number, Zombie[]>()
  for (const zombie of zombies)
    if (zombie.parent > 1) parents.set(zombie.parent, [...(parents.get(zombie.parent) ?? []), zombie])
  return [...parents].map(([parent, dead]) => {
    const [first] = dead
    return `${dead.length} zombie${dead.length === 1 ? '' : 's'} (${first?.name}, pid ${first?.pid}) of ${first?.parentName} (pid ${parent}), which does not wait for its children`
  })
}
