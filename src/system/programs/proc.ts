import { readdirSync, readFileSync } from 'node:fs'
import { hasCode, unlessCode } from '../error-code.ts'

/** One process, as described by /proc/PID/stat (proc_pid_stat(5)). */
export interface ProcessFacts {
  readonly pid: number
  /** The first 15 bytes of the program's name. */
  readonly comm: string
  /** One letter; `Z` is a zombie, `T` stopped. */
  readonly state: string
  readonly ppid: number
  readonly pgrp: number
  readonly session: number
  /** The controlling terminal's device; 0: none. */
  readonly terminal: number
  /** The foreground process group of that terminal; -1: none. */
  readonly foreground: number
  /** Field 22, clock ticks since boot: together with the pid it identifies a process for good. */
  readonly startTime: number
  /** Fields 14 and 15: time it has run, in user mode and in the kernel, clock ticks. */
  readonly cpuTicks: number
  /** Fields 16 and 17: the same of its children that have ended and for which it has waited, and of theirs. */
  readonly waitedTicks: number
  /** Field 24: memory it has in RAM, pages. */
  readonly residentPages: number
}

/** @returns undefined when there is no such process */
export function readProcess(pid: number, proc = '/proc'): ProcessFacts | undefined {
  let stat: string
  try {
    // Node reads UTF-8 in one call, other encodings in five: half of what a list of a thousand processes costs.
    stat = readFileSync(`${proc}/${pid}/stat`, 'utf8')
  } catch (error) {
    if (isHidden(error)) return undefined
    throw error
  }
  return parseStat(pid, stat)
}

/** ESRCH: it ended between open and read. Anything else (hidepid's EACCES) hides the process from us just the same. */
const isHidden = (error: unknown): boolean => hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')

/** The text of /proc/PID/stat; the name in parentheses may hold spaces and parentheses itself. */
export function parseStat(pid: number, stat: string): ProcessFacts {
  const open = stat.indexOf('(')
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  return {
    pid,
    comm: stat.slice(open + 1, close),
    state: fields[0] ?? '?',
    ppid: Number(fields[1]),
    pgrp: Number(fields[2]),
    session: Number(fields[3]),
    terminal: Number(fields[4]),
    foreground: Number(fields[5]),
    startTime: Number(fields[19]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    waitedTicks: Number(fields[13]) + Number(fields[14]),
    residentPages: Number(fields[21]),
  }
}

/** Its arguments or its environment; [] for a process that is gone or hidden from us. */
export function readProcessList(pid: number, list: 'cmdline' | 'environ'): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/${list}`, 'utf8').split('\0').slice(0, -1)
  } catch (error) {
    if (isHidden(error)) return []
    throw error
  }
}

/** Reads a process that is alive: a zombie has ended, whatever its entry says. */
export function readLiving(pid: number): ProcessFacts | undefined {
  const facts = readProcess(pid)
  return facts === undefined || isZombie(facts) ? undefined : facts
}

/** All processes of our PID namespace, including zombies. Those that end during the listing are omitted. */
export function listProcesses(proc = '/proc'): readonly ProcessFacts[] {
  const found: ProcessFacts[] = []
  for (const name of readdirSync(proc)) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const facts = readProcess(pid, proc)
    if (facts !== undefined) found.push(facts)
  }
  return found
}

/**
 * Tells whether a process here has no memory: a zombie has none, nor has a thread of the kernel. Takes a third of the
 * time of `listProcesses`.
 * @param living processes that need not be looked at
 */
export function someHasNoMemory(living: ReadonlySet<number>, proc = '/proc'): boolean {
  return readdirSync(proc).some((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || living.has(pid)) return false
    try {
      return readFileSync(`${proc}/${name}/statm`, 'utf8').startsWith('0 ')
    } catch {
      return false // It has ended, or is hidden from us.
    }
  })
}

/** Size of a page. Node does not provide it; arm64 kernels may use 16 or 64 KB. */
export function readPageBytes(): number {
  const found = /^KernelPageSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'latin1'))
  return found === null ? 4096 : Number(found[1]) * 1024
}

/** The children of each process. */
export const byParent = (all: readonly ProcessFacts[]): ReadonlyMap<number, readonly ProcessFacts[]> =>
  Map.groupBy(all, ({ ppid }) => ppid)

/** All descendants of `pid`, without itself, parents before their children. */
export const descendants = (all: readonly ProcessFacts[], pid: number): readonly ProcessFacts[] =>
  descendantsIn(byParent(all), pid)

/** The same, for many processes of one list. */
export function descendantsIn(
  children: ReadonlyMap<number, readonly ProcessFacts[]>,
  pid: number,
): readonly ProcessFacts[] {
  // A loop and not a recursion: thousands of generations, each a process, need nothing but patience. A table that was
  // read while pids were used again may show a circle; each process is taken once.
  const found: ProcessFacts[] = []
  const seen = new Set([pid])
  for (let parent: number | undefined = pid, next = 0; parent !== undefined; parent = found[next++]?.pid) {
    for (const child of children.get(parent) ?? []) {
      if (seen.has(child.pid)) continue
      seen.add(child.pid)
      found.push(child)
    }
  }
  return found
}

/** Tells whether this process descends from another one. A process that `docker exec` starts descends from none. */
export function isBelow(ancestor: number, proc = '/proc'): boolean {
  for (let pid = process.ppid; pid > 0; pid = readProcess(pid, proc)?.ppid ?? 0) if (pid === ancestor) return true
  return false
}

export const isZombie = (facts: ProcessFacts): boolean => facts.state === 'Z' || facts.state === 'X'

/** Stopped by a signal or a debugger (proc_pid_stat(5)): it would not see a TERM before a CONT. */
export const isStopped = (pid: number): boolean => readProcess(pid)?.state.toUpperCase() === 'T'

/**
 * Sends a signal to a process and all its descendants. The program stays in our process group so that the supervisor
 * finds it when we are killed; therefore it has no process group to signal.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  // List them before sending any signal: if a shell ended first, its children would get another parent.
  const below = descendants(listProcesses(), pid).map((process) => process.pid)
  for (const member of [pid, ...below]) {
    // It may have ended in the meantime, or changed its user (setuid).
    unlessCode(['ESRCH', 'EPERM'], () => process.kill(member, signal))
  }
}
