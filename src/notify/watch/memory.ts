/** Processes that the kernel has killed because their cgroup was out of memory. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'

export const OOM_NOTE = 'oom'

/** A slot whose process died of SIGKILL a moment ago. */
export interface KilledSlot {
  readonly slot: string
  readonly profile?: string
}

/**
 * @param known number of kills as the outbox has it; a number that is met first is only remembered
 * @param kills since the cgroup was made
 * @param killed since the last look: the kernel's counter names no process
 */
export function lookAtMemory(
  known: unknown,
  kills: number,
  killed: readonly KilledSlot[],
  wallMs: number,
): { readonly notes: readonly Note[]; readonly observed: readonly Observed[] } {
  if (known === kills) return { notes: [], observed: [] }
  const notes = [{ subject: OOM_NOTE, value: kills }]
  // A smaller number is that of another container.
  const more = typeof known !== 'number' ? 0 : kills < known ? kills : kills - known
  if (more === 0) return { notes, observed: [] }
  const processes = more === 1 ? 'a process' : `${more} processes`
  const cause = `the container is out of memory: the kernel has killed ${processes} in it`
  const next = 'give the container more memory, or gateways a gateway.memory_limit'
  const event = { event: 'oom', atMs: wallMs } as const
  if (killed.length === 0) return { notes, observed: [{ ...event, text: `${cause}; ${next}` }] }
  return {
    notes,
    observed: killed.map((one) => ({ ...event, ...one, text: `${one.slot} was killed: ${cause}; ${next}` })),
  }
}

/**
 * Reads the counter of our cgroup, or of the nearest one above that has one: `memory.events` in version 2,
 * `memory.oom_control` in version 1 (cgroup-v2 and cgroup-v1/memory of the kernel's documentation).
 * @returns undefined: the kernel has none here
 */
export function oomKills(cgroups = '/sys/fs/cgroup', self = '/proc/self/cgroup'): number | undefined {
  const lines = (readText(self) ?? '').split('\n')
  const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes('memory'))
  const path = (v1 ?? lines.find((line) => line.startsWith('0::')))?.split(':').slice(2).join(':')
  if (path === undefined) return undefined
  const mount = v1 === undefined ? cgroups : join(cgroups, 'memory')
  const file = v1 === undefined ? 'memory.events' : 'memory.oom_control'
  // A container's mount starts at its own cgroup, or at the host's.
  for (let at = join('/', path); ; at = dirname(at)) {
    const count = /^oom_kill (\d+)$/m.exec(readText(join(mount, at, file)) ?? '')?.[1]
    if (count !== undefined) return Number(count)
    if (at === '/') return undefined
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined // no such controller, or none that we may read
  }
}
