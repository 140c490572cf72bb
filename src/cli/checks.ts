/** What `hermes doctor` looks at. Each check says what it found; none throws for what it finds. */

import { accessSync, constants, existsSync, lstatSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { withSupervisor } from '../control/slot-actions.ts'
import { configProblemText, loadConfig } from '../profile/config.ts'
import { listProfiles, type ProfileEntry } from '../profile/disk.ts'
import { readContainerEnvironment, readDotEnv, truthy } from '../profile/environment.ts'
import { livingHolder } from '../profile/pid-file.ts'
import { homePaths } from '../system/paths.ts'
import type { Context } from './context.ts'
import { diskWarnings, findZombies, zombieWarnings } from './warnings.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  readonly next?: string
}

type Check = (context: Context) => readonly Finding[] | Promise<readonly Finding[]>

const ok = (check: string, text: string): Finding => ({ check, state: 'ok', text })
const warn = (check: string, text: string, next: string): Finding => ({ check, state: 'warn', text, next })
const fail = (check: string, text: string, next: string): Finding => ({ check, state: 'fail', text, next })
/** The findings, or that there is nothing to find. */
const orFine = (check: string, fine: string, findings: readonly Finding[]): readonly Finding[] =>
  findings.length === 0 ? [ok(check, fine)] : findings

/** What keeps a check from looking is a finding like any other. */
function guarded(check: string, look: () => readonly Finding[]): readonly Finding[] {
  try {
    return look()
  } catch (error) {
    return [unlooked(check, error)]
  }
}

const unlooked = (check: string, error: unknown): Finding =>
  fail(check, `cannot be checked: ${(error as Error).message}`, 'give the user of hermes access to that path')

const PROGRAMS = ['hermes.cjs', 'cli.cjs', 'gateway.cjs', 'init.cjs', 'supervisor.cjs', 'koffi.node']
/** Foreign owners named one by one; more are counted. */
const MAX_NAMED = 10

const install: Check = ({ install: dir, uid }) => {
  const missing = PROGRAMS.filter((name) => !existsSync(join(dir, 'lib', name)))
  if (missing.length > 0)
    return [
      fail(
        'install',
        `${join(dir, 'lib')} lacks ${missing.join(', ')}`,
        'build it again (npm run build), or pull the image',
      ),
    ]
  if (dir === '/opt/hermes' && uid !== 0 && isWritable(dir)) {
    return [
      warn(
        'install',
        `${dir} can be written by uid ${uid}`,
        'it should belong to root: somebody could change what root runs',
      ),
    ]
  }
  return [ok('install', `${dir}, Node ${process.versions.node}`)]
}

const identity: Check = ({ uid, env }) => {
  const who = `uid ${uid}, gid ${process.getgid?.()}, groups ${process.getgroups?.().join(' ')}`
  return uid === 0
    ? [
        warn(
          'identity',
          `${who}: root`,
          truthy(env.HERMES_DOCKER_EXEC_AS_ROOT) ? 'unset HERMES_DOCKER_EXEC_AS_ROOT' : 'run hermes as another user',
        ),
      ]
    : [ok('identity', who)]
}

/** Names offending paths one level deep; what lies deeper follows from its directory. */
const volume: Check = ({ home, uid }) => {
  const top = statSync(home, { throwIfNoEntry: false })
  if (!top) return [warn('volume', `${home} is not there yet`, 'it is made at the first start')]
  const repair = `docker restart repairs known paths; by hand, as root: chown -R ${uid}:${process.getgid?.()} ${home}`
  const findings: Finding[] = isWritable(home)
    ? []
    : [
        fail(
          'volume',
          `${home} (uid ${top.uid}, mode ${(top.mode & 0o7777).toString(8)}) cannot be written by uid ${uid}`,
          repair,
        ),
      ]
  const foreign: { path: string; owner: number }[] = []
  for (const { dir } of listProfiles(home).profiles)
    findings.push(
      ...guarded('volume', () => {
        foreign.push(...foreignIn(dir, uid))
        return []
      }),
    )
  for (const { path, owner } of foreign.slice(0, MAX_NAMED))
    findings.push(warn('volume', `${path} belongs to uid ${owner}, not ${uid}`, repair))
  if (foreign.length > MAX_NAMED) findings.push(warn('volume', `and ${foreign.length - MAX_NAMED} more`, repair))
  return orFine('volume', `${home} can be written`, findings)
}

function foreignIn(dir: string, uid: number): readonly { path: string; owner: number }[] {
  return namesIn(dir).flatMap((name) => {
    const path = join(dir, name)
    const owner = lstatSync(path, { throwIfNoEntry: false })?.uid
    return owner === undefined || owner === uid || uid === 0 ? [] : [{ path, owner }]
  })
}

const profiles: Check = ({ home }) => {
  const listing = listProfiles(home)
  const skipped = listing.problems.map(({ name, reason }) =>
    warn('profiles', `${join(homePaths(home).profiles, name)} is no profile: ${reason}`, 'rename it or move it away'),
  )
  const broken = listing.profiles.flatMap((profile) => guarded('profiles', () => profileFindings(profile)))
  return orFine('profiles', `${listing.profiles.length} found, their settings are right`, [...skipped, ...broken])
}

function profileFindings({ name, dir }: ProfileEntry): readonly Finding[] {
  const dotEnv = join(dir, '.env')
  const mode = lstatSync(dotEnv, { throwIfNoEntry: false })?.mode ?? 0o600
  return [
    ...loadConfig(join(dir, 'config.yaml')).problems.map((problem) =>
      warn('profiles', configProblemText(problem), `hermes -p ${name} config edit`),
    ),
    ...readDotEnv(dotEnv).warnings.map((text) => warn('profiles', text, `edit ${dotEnv}`)),
    ...((mode & 0o077) === 0
      ? []
      : [
          warn(
            'profiles',
            `${dotEnv} can be read by others (mode ${(mode & 0o777).toString(8)})`,
            `chmod 600 ${dotEnv}`,
          ),
        ]),
  ]
}

const supervisor: Check = async (context) => {
  try {
    const { phase, slots, warnings } = await withSupervisor(context, (client) => client.request('status', {}))
    const parked = slots.filter((slot) => slot.state === 'parked' || slot.state === 'backoff')
    return [
      ok('supervisor', `answers at ${context.paths.controlSocket}: ${phase}, ${slots.length} slots`),
      ...warnings.map((text) => warn('supervisor', text, 'hermes logs supervisor')),
      ...parked.map((slot) =>
        warn('supervisor', `${slot.slot} is ${slot.state}: ${slot.reason ?? 'no reason known'}`, `see ${slot.log}`),
      ),
    ]
  } catch (error) {
    return [warn('supervisor', (error as Error).message, 'start the container, or npm start in a checkout')]
  }
}

/** Two API servers on one port; without a supervisor, also whether somebody else has it. */
const ports: Check = async (context) => {
  const wanted = listProfiles(context.home).profiles.flatMap((profile) => apiPort(context, profile))
  const twice = wanted.flatMap(({ profile, port }, i) => {
    const first = wanted.findIndex((other) => other.port === port)
    return first === i
      ? []
      : [
          fail(
            'ports',
            `the profiles "${wanted[first]?.profile}" and "${profile}" both want port ${port}`,
            `set another API_SERVER_PORT in the .env of "${profile}"`,
          ),
        ]
  })
  const taken = existsSync(context.paths.controlSocket) ? [] : (await Promise.all(wanted.map(portFinding))).flat()
  return orFine(
    'ports',
    wanted.length === 0
      ? 'no API server is wanted'
      : wanted.map(({ profile, port }) => `${profile}: ${port}`).join(', '),
    [...twice, ...taken],
  )
}

function apiPort({ paths }: Context, { name, dir }: ProfileEntry): readonly { profile: string; port: number }[] {
  const dotEnv = readDotEnv(join(dir, '.env')).variables
  const env = name === 'default' ? { ...dotEnv, ...readContainerEnvironment(paths.environmentDir) } : dotEnv
  return truthy(env.API_SERVER_ENABLED) ? [{ profile: name, port: Number(env.API_SERVER_PORT ?? 8642) }] : []
}

function portFinding({ profile, port }: { profile: string; port: number }): Promise<readonly Finding[]> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve([
        fail('ports', `port ${port} of "${profile}" cannot be had: ${error.code}`, `ss -ltnp sport = :${port}`),
      ]),
    )
    server.listen(port, '127.0.0.1', () => server.close(() => resolve([])))
  })
}

const staleFiles: Check = ({ home }) => {
  const dirs = listProfiles(home).profiles.map(({ dir }) => dir)
  const pidFiles = dirs.map((dir) => join(dir, 'gateway.pid')).filter((file) => existsSync(file) && !livingHolder(file))
  const leftovers = namesIn(homePaths(home).profiles).filter((name) => /^\.(new|deleted)-/.test(name))
  return orFine('stale files', 'none', [
    ...pidFiles.map((file) =>
      warn('stale files', `${file} names a process that is gone`, 'nothing: the next gateway replaces it'),
    ),
    ...leftovers.map((name) =>
      warn(
        'stale files',
        `${join(homePaths(home).profiles, name)} is what a killed command left`,
        'nothing: a later profile create removes it',
      ),
    ),
  ])
}

const zombies: Check = () =>
  orFine(
    'zombies',
    'none',
    zombieWarnings(findZombies()).map((text) =>
      warn('zombies', text, 'tell its authors, or run it in a container of its own'),
    ),
  )

/** A file of the future means that the clock was set back; certificates and log names depend on it. */
const clock: Check = ({ home, clock: { wallMs } }) => {
  const nowMs = wallMs()
  const newest = Math.max(
    0,
    ...['gateway_state.json', 'logs/supervisor.log', 'config.yaml'].map(
      (name) => lstatSync(join(home, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    ),
  )
  if (nowMs < Date.UTC(2025, 0))
    return [fail('clock', `it is ${new Date(nowMs).toISOString()} here`, 'set the clock of the host')]
  if (newest > nowMs + 60_000)
    return [
      warn(
        'clock',
        `files in ${home} are ${Math.round((newest - nowMs) / 1000)} s ahead of the clock`,
        'set the clock of the host',
      ),
    ]
  return [ok('clock', new Date(nowMs).toISOString())]
}

const disk: Check = ({ home }) => {
  const low = diskWarnings(home).map((text) =>
    fail('disk', text, 'free some space; hermes config set logging.archives keeps fewer logs'),
  )
  if (low.length > 0) return low
  const { bavail, bsize, files, ffree } = statfsSync(home)
  if (files > 0 && ffree < 100) return [fail('disk', `${home} has ${ffree} inodes left`, 'remove small files')]
  return [ok('disk', `${Math.round((bavail * bsize) / 1e6)} MB free at ${home}`)]
}

export const CHECKS: Readonly<Record<string, Check>> = {
  install,
  identity,
  volume,
  profiles,
  supervisor,
  ports,
  'stale files': staleFiles,
  zombies,
  clock,
  disk,
}

/** All checks in order. One that fails itself is a finding, and the others still look. */
export async function findAll(context: Context, checks = CHECKS): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [name, check] of Object.entries(checks)) {
    try {
      findings.push(...(await check(context)))
    } catch (error) {
      findings.push(unlooked(name, error))
    }
  }
  return findings
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    // EACCES, EROFS: that is the answer.
    return false
  }
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    // Not there, or not readable, which the check of the volume reports.
    return []
  }
}
