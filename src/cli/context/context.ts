import type { ControlClient } from '../../control/client.ts'
import { connectControl } from '../../control/client.ts'
import { readActiveProfile } from '../../profile/active.ts'
import { requireProfile } from '../../profile/directory/disk.ts'
import { requireOwnUser } from '../../profile/walled.ts'
import { type Clock, systemClock } from '../../system/clock.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { connectQuickly } from '../../system/net/quick-unix-stream.ts'
import type { RunPaths } from '../../system/paths.ts'
import { type Environment, findRunPaths, installDir, resolveHome } from '../../system/programs/install.ts'
import { isBelow } from '../../system/programs/proc.ts'
import { warningLine } from '../../system/text/foreign-text.ts'
import type { Output } from '../terminal/output.ts'
import { actorOf } from './actor.ts'

/** Everything a command gets: paths, and access to the outside world. */
export interface Context {
  readonly env: Environment
  /** The directory with bin/ and lib/. */
  readonly install: string
  readonly home: string
  readonly paths: RunPaths
  readonly uid: number
  readonly json: boolean
  readonly output: Output
  readonly clock: Clock
  /** The profile that `-p` named, unchecked. */
  readonly requestedProfile: string | undefined
  /** Every profile that `-p` named, unchecked, in order. */
  readonly requestedProfiles: readonly string[]
  /** The caller of the command, as the audit log names them. */
  actor(): string
  /** Gives root up, for a command that has kept it. Without effect for all others. @throws Error with one line */
  dropRoot(): Promise<void>
  /**
   * The profile to act on, from `-p`, the current slot, `profile use`, or `default`. @throws HermesError
   * NO_SUCH_PROFILE
   */
  profile(): { readonly name: string; readonly dir: string }
  /** @throws HermesError NO_SUPERVISOR */
  connect(): Promise<ControlClient>
}

export function makeContext(options: {
  readonly env: Environment
  /** Directory of the running bundle. */
  readonly bundleDir: string
  readonly profile: string | undefined
  readonly profiles?: readonly string[]
  readonly json: boolean
  readonly output: Output
  /** uid that called the command, before root was given up. */
  readonly callerUid?: number | undefined
  readonly dropRoot?: () => Promise<void>
}): Context {
  const { env, bundleDir, profile, profiles = [], json, output, dropRoot = async () => undefined } = options
  const install = installDir(bundleDir)
  const home = resolveHome(env, install)
  const uid = process.getuid?.() ?? 0
  const paths = findRunPaths(env, home, uid)
  const clock = systemClock()
  const actor = (): string => actorOf(env, options.callerUid ?? uid)
  return {
    env,
    install,
    home,
    paths,
    uid,
    json,
    output,
    clock,
    requestedProfile: profile,
    requestedProfiles: profiles,
    actor,
    dropRoot,
    profile: () => requireProfile(home, profile ?? (env.HERMES_PROFILE || readActiveProfile(home))),
    connect: () =>
      connectControl(paths.controlSocket, clock, {
        home,
        connect: connectQuickly,
        belowInit: isBelow(readPid(paths.initPid)),
        by: actor,
      }),
  }
}

const MAX_PID_BYTES = 16

/** @returns NaN where there is no such file */
const readPid = (file: string): number => Number(readSmallFile(file, MAX_PID_BYTES).text)

/**
 * The profile to act on, for a command that reads or writes in its directory, or runs what its settings name.
 * @throws HermesError NO_SUCH_PROFILE; REFUSED for a walled profile of another user
 */
export function ownProfile(context: Pick<Context, 'profile' | 'home'>): ReturnType<Context['profile']> {
  const found = context.profile()
  requireOwnUser(context.home, found.name)
  return found
}

/** Facts that `gateway run` needs, from whichever program starts it. */
export const gatewayFacts = (context: Context) => {
  const { name, dir } = context.profile()
  const { env, home, install, paths, uid, clock } = context
  return {
    profile: name,
    dir,
    home,
    install,
    controlSocket: paths.controlSocket,
    runDir: paths.runDir,
    scanDir: paths.scanDir,
    env,
    uid,
    clock,
    out: context.output.out,
    err: context.output.err,
  }
}

/** Writes one-line warnings to the standard error of a command. */
export const warnOn =
  (context: Context) =>
  (text: string): void =>
    context.output.err(warningLine(text))
