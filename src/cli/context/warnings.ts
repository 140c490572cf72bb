import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { descendants, isZombie, listProcesses, someHasNoMemory } from '../../system/programs/proc.ts'
import type { Context } from './context.ts'

/** The disk counts as full below this share of free space. */
const LOW_SHARE = 0.02
const LOW_BYTES = 100_000_000

/**
 * Warnings about the host in addition to the supervisor's: a full disk, and zombies.
 * @param slots their own processes are children of init, which reaps them at once
 */
export const hostWarnings = (
  context: Pick<Context, 'home' | 'paths'>,
  slots: readonly { readonly pid?: number }[],
): readonly string[] => [
  ...diskWarnings(context.home),
  ...zombieWarnings(findZombies(context.paths.initPid, new Set(slots.flatMap(({ pid }) => pid ?? [])))),
]

export function diskWarnings(home: string): readonly string[] {
  let stat: ReturnType<typeof statfsSync>
  try {
    stat = statfsSync(home)
  } catch (error) {
    return [`${home} cannot be examined: ${(error as Error).message}`]
  }
  const freeBytes = stat.bavail * stat.bsize
  const full = stat.blocks > 0 && stat.bavail / stat.blocks < LOW_SHARE && freeBytes < LOW_BYTES
  return full
    ? [`the disk of ${home} is nearly full: ${Math.round(freeBytes / 1e6)} MB left; logs are lost when it is full`]
    : []
}

export interface Zombie {
  readonly pid: number
  readonly name: string
  readonly parent: number
  readonly parentName: string
}

/**
 * Finds zombies below our init. Other zombies of the host do not concern us.
 * @param initPid file with the pid of init; without it, no zombie is ours
 * @param living processes that are known to be none
 */
export function findZombies(initPid: string, living: ReadonlySet<number> = new Set()): readonly Zombie[] {
  const init = existsSync(initPid) ? Number(readFileSync(initPid, 'latin1')) : Number.NaN
  if (!Number.isInteger(init) || !someHasNoMemory(living)) return []
  const all = listProcesses()
  const nameOf = (pid: number): string => all.find((process) => process.pid === pid)?.comm ?? '?'
  return descendants(all, init)
    .filter(isZombie)
    .map(({ pid, comm, ppid }) => ({ pid, name: comm, parent: ppid, parentName: nameOf(ppid) }))
}

/** One line per parent. PID 1 reaps within milliseconds, so its own zombies are not worth a warning. */
export function zombieWarnings(zombies: readonly Zombie[]): readonly string[] {
  const parents = new Map<number, Zombie[]>()
  for (const zombie of zombies)
    if (zombie.parent > 1) parents.set(zombie.parent, [...(parents.get(zombie.parent) ?? []), zombie])
  return [...parents].map(([parent, dead]) => {
    const [first] = dead
    return `${dead.length} zombie${dead.length === 1 ? '' : 's'} (${first?.name}, pid ${first?.pid}) of ${first?.parentName} (pid ${parent}), which does not wait for its children`
  })
}
