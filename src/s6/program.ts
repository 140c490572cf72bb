import { join } from 'node:path'
import type { Clock } from '../system/clock.ts'
import { readRegularBytes } from '../system/files/small-file.ts'
import type { Native } from '../system/native/native.ts'
import { exitCodes, S6Error, systemError } from './error.ts'
import { readOptions } from './options.ts'
import { announcesReadiness, isNormallyUp, isSupervised, readState, sendCommands } from './service-dir.ts'
import { parseSvc, SVC_USAGE, type SvcWait, svcGoals } from './svc.ts'
import { describeDeaths, parseSvdt, SVDT_USAGE } from './svdt.ts'
import { describe, parseSvstat, SVSTAT_USAGE } from './svstat.ts'
import { parseSvwait, SVWAIT_USAGE, svwaitGoals } from './svwait.ts'
import type { Goal } from './watch.ts'

export interface S6Context {
  readonly clock: Clock
  /** Loaded only by the commands that need it. */
  readonly native: () => Promise<Pick<Native, 'mkfifo' | 'isLocked'>>
  out(text: string): void
  err(text: string): void
}

type Command = (argv: readonly string[], context: S6Context) => Promise<number>

/** s6's commands that work on slot directories. */
const commands: Readonly<Record<string, Command>> = {
  's6-svc': svc,
  's6-svstat': svstat,
  's6-svok': svok,
  's6-svwait': svwait,
  's6-svdt': svdt,
  's6-svscanctl': svscanctl,
}

/** Runs one of s6's commands. @returns its exit code, s6's own */
export async function s6Command(name: string, argv: readonly string[], context: S6Context): Promise<number> {
  try {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) throw new S6Error(exitCodes.usage, `there are ${Object.keys(commands).join(', ')}`)
    return await command(argv, context)
  } catch (error) {
    if (!(error instanceof S6Error)) throw error
    context.err(`${name}: fatal: ${error.message}\n`)
    return error.exitCode
  }
}

/** @throws S6Error 100 where the arguments are wrong */
function parsed<T>(request: T | string, usage: string): T {
  if (typeof request === 'string') throw new S6Error(exitCodes.usage, `${request}; usage: ${usage}`)
  return request
}

async function svstat(argv: readonly string[], context: S6Context): Promise<number> {
  const request = parsed(parseSvstat(argv), SVSTAT_USAGE)
  const { dir } = request
  if (!(await isSupervised(dir, lockQuery(context))))
    throw new S6Error(exitCodes.no, `unable to read status for ${dir}: it is not supervised`)
  const seen = { state: readState(dir), normallyUp: isNormallyUp(dir), nowMs: context.clock.wallMs() }
  context.out(`${describe(seen, request)}\n`)
  return exitCodes.done
}

const SVOK_USAGE = 's6-svok servicedir'

async function svok(argv: readonly string[], context: S6Context): Promise<number> {
  const [dir] = argv // s6's own reads no options
  if (dir === undefined) throw new S6Error(exitCodes.usage, `expected a slot directory; usage: ${SVOK_USAGE}`)
  return (await isSupervised(dir, lockQuery(context))) ? exitCodes.done : exitCodes.no
}

async function svc(argv: readonly string[], context: S6Context): Promise<number> {
  const request = parsed(parseSvc(argv), SVC_USAGE)
  const { dir, commands, timeoutMs, extra } = request
  if (extra) context.err('s6-svc: warning: ignoring extra arguments\n')
  const send = (): void => sendCommands(dir, 'supervise/control', commands)
  if (request.wait === undefined) {
    send()
    return exitCodes.done
  }
  const wait = withoutReadiness(request.wait, dir, context)
  // Without a command s6-svc becomes s6-svwait, which gives up on what fails for good on its way down.
  return commands === ''
    ? waitUntil(context, [dir], svwaitGoals[wait], timeoutMs)
    : waitUntil(context, [dir], svcGoals[wait], timeoutMs, send)
}

/** For a service that never announces readiness, s6 waits for its start instead. */
function withoutReadiness(wait: SvcWait, dir: string, context: S6Context): SvcWait {
  if ((wait !== 'U' && wait !== 'R') || announcesReadiness(dir)) return wait
  context.err(`s6-svc: warning: ${dir} does not announce readiness; waiting for its start\n`)
  return wait === 'U' ? 'u' : 'r'
}

async function svwait(argv: readonly string[], context: S6Context): Promise<number> {
  const { dirs, goals, timeoutMs } = parsed(parseSvwait(argv), SVWAIT_USAGE)
  return waitUntil(context, dirs, goals, timeoutMs)
}

async function waitUntil(
  { clock, native }: S6Context,
  dirs: readonly string[],
  goals: readonly Goal[],
  timeoutMs: number,
  then?: () => void,
): Promise<number> {
  // Imported here: a command that does not wait need not load sockets and the native binding.
  const { waitFor } = await import('./wait.ts')
  await waitFor(dirs, goals, { native: await native(), clock, timeoutMs, ...(then && { then }) })
  return exitCodes.done
}

/** More than the 4096 deaths that s6 keeps at most. */
const MAX_TALLY_BYTES = 64 * 1024

async function svdt(argv: readonly string[], { out }: S6Context): Promise<number> {
  const request = parsed(parseSvdt(argv), SVDT_USAGE)
  let tally: Buffer
  try {
    tally = readRegularBytes(join(request.dir, 'supervise', 'death_tally'), MAX_TALLY_BYTES)
  } catch (error) {
    throw systemError(`unable to read death tally for service ${request.dir}`, error)
  }
  out(describeDeaths(tally, request))
  return exitCodes.done
}

const SVSCANCTL_USAGE = 's6-svscanctl [ -zabhitqnN ] svscandir'

async function svscanctl(argv: readonly string[]): Promise<number> {
  const { options, rest } = parsed(readOptions(argv, 'zabhitqnN'), SVSCANCTL_USAGE)
  const [dir] = rest
  if (dir === undefined) throw new S6Error(exitCodes.usage, `expected the scan directory; usage: ${SVSCANCTL_USAGE}`)
  sendCommands(dir, '.s6-svscan/control', options.map(({ letter }) => letter).join(''))
  return exitCodes.done
}

const lockQuery =
  ({ native }: S6Context) =>
  async (fd: number): Promise<boolean> =>
    (await native()).isLocked(fd)
