import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import { HANDOVER_FD } from '../../protocol/handover.ts'
import type { ToInit } from '../../protocol/init.ts'
import type { Native, SpawnedProgram } from '../../system/native/native.ts'
import type { Processes, Spawned } from '../processes/processes.ts'
import { DASHBOARD_SLOT, type DashboardProgram } from '../programs/dashboard-program.ts'
import { DISPATCHER_SLOT, type DispatcherProgram } from '../programs/dispatcher-program.ts'
import type { LogFifos } from './log-fifos.ts'
import type { WalledUser } from './profile-walls.ts'
import { closeAll } from './readiness.ts'
import type { ServicePrograms, StartCommand } from './service-programs.ts'
import type { SlotLimits } from './slot-limits.ts'

export type SpawnRequest = Extract<ToInit, { type: 'spawn' }>

/** A start, without the number of the supervisor's request. */
export type ProgramRequest = Omit<SpawnRequest, 'type' | 'request'>

/** How to start a slot's program: the arguments before `/bin/sh <run>`, and an environment made by init. */
export interface SlotCommand {
  /** Where the slots' directories lie. */
  readonly scanDir: string
  /** setpriv with its options, where root is dropped. */
  readonly prefix: readonly string[]
  /** The runtime user, who writes the scripts. */
  readonly owner: { readonly uid: number; readonly gid: number }
  readonly env: Readonly<Record<string, string>>
}

/** The programs in slots. */
export interface SlotPrograms {
  /** Of `service-…` slots. */
  readonly services: ServicePrograms
  /** Of the dashboard's slot. */
  readonly dashboard: Pick<DashboardProgram, 'command' | 'serve'>
  /** Of the dispatcher's slot, if the board is in a database; absent: it is one of the others. */
  readonly dispatcher?: Pick<DispatcherProgram, 'command' | 'serve'>
  /** Of all others. */
  readonly command: SlotCommand
}

/** Parts that a start needs. */
export interface StartParts {
  readonly native: Pick<Native, 'pipe'>
  readonly processes: Processes
  readonly fifos: LogFifos
  readonly limits: Pick<SlotLimits, 'prefix'>
  readonly programs: SlotPrograms
}

export interface StartedProgram extends Spawned {
  /** Non-blocking read end of its notification fd; the caller's to close. */
  readonly readiness?: number
}

/**
 * Starts the program of a slot with its log, its arguments and environment, and its notification fd.
 * @param user of a walled profile
 */
export async function startProgram(
  parts: StartParts,
  request: ProgramRequest,
  user?: WalledUser,
): Promise<StartedProgram> {
  const { slot, notificationFd, program = 'run' } = request
  const { processes, native, fifos, limits, programs } = parts
  const ours: number[] = []
  let readEnd: number | undefined
  try {
    const log = fifos.openWriter(slot, user ?? programs.services.user(slot))
    ours.push(log)
    const { argv, cwd, env, stdin = 'ignore', stdout = log, serve } = commandOf(programs, slot, program, user)
    ours.push(...[stdin, stdout].filter((fd): fd is number => fd !== 'ignore' && fd !== log))
    const fds: ('ignore' | number)[] = [stdin, stdout, log]
    if (notificationFd !== null) {
      const [read, write] = native.pipe({ nonblockingRead: true })
      readEnd = read
      ours.push(write)
      // Not inherited: up to the notification fd nothing is open.
      while (fds.length < notificationFd) fds.push('ignore')
      fds.push(write)
    }
    const [file = '', ...args] = [...limits.prefix(slot), ...argv]
    const start = { file, args, cwd, env, fds }
    const { pid, ended } = await (serve === undefined ? processes.spawn(start) : startServed(processes, start, serve))
    const readiness = readEnd
    readEnd = undefined
    return { pid, ended, ...(readiness !== undefined && { readiness }) }
  } finally {
    closeAll(readEnd === undefined ? ours : [...ours, readEnd])
  }
}

function commandOf(
  programs: SlotPrograms,
  slot: string,
  program: 'run' | 'finish',
  user: WalledUser | undefined,
): StartCommand {
  const { command, services, dashboard, dispatcher } = programs
  if (services.isService(slot)) return services.command(slot, program)
  if (slot === DASHBOARD_SLOT && program === 'run')
    return { ...dashboard.command(), cwd: '/', serve: (socket) => dashboard.serve(socket, 'slot') }
  if (slot === DISPATCHER_SLOT && program === 'run' && dispatcher !== undefined)
    return { ...dispatcher.command(), cwd: '/', serve: (socket) => dispatcher.serve(socket) }
  const script = `${command.scanDir}/${slot}/run`
  if (user !== undefined) giveScript(script, command.owner, user.uid)
  const argv = [...(user?.prefix ?? command.prefix), '/bin/sh', script]
  return { argv, env: { ...command.env, HERMES_SLOT: slot }, cwd: '/' }
}

/**
 * Lets a walled profile read its script, and no other one. The directory belongs to the runtime user, who could put
 * anything there, but has no more to give away than its own files.
 * @throws Error if it is not a file of the runtime user
 */
function giveScript(script: string, owner: SlotCommand['owner'], uid: number): void {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  const fd = openSync(script, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  try {
    const status = fstatSync(fd)
    if (!status.isFile() || status.nlink !== 1 || (status.uid !== owner.uid && status.uid !== uid))
      throw new Error(`${script} is not a file that the supervisor has written`)
    fchownSync(fd, uid, owner.gid)
    fchmodSync(fd, 0o500)
  } finally {
    closeSync(fd)
  }
}

/** With a socket as HANDOVER_FD, whose other end `serve` gets. */
async function startServed(
  processes: Processes,
  program: SpawnedProgram,
  serve: (socket: Socket) => void,
): Promise<Spawned> {
  if (program.fds.length > HANDOVER_FD) throw new Error(`descriptor ${HANDOVER_FD} is not its to be ready on`)
  const linked = await processes.link(program, HANDOVER_FD)
  serve(linked.socket)
  return linked
}
