/** Checks of the surroundings: install, identity, clock, disk. */
import { existsSync, lstatSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { truthy } from '../../profile/environment/environment.ts'
import { diskWarnings } from '../context/warnings.ts'
import { type Check, fail, isWritable, ok, warn } from './finding.ts'
import { runtimeUser } from './runtime-user.ts'

const FILES = [
  ...['hermes', 'cli', 'gateway', 'init', 'supervisor'].flatMap((program) => [`${program}.cjs`, `${program}.js`]),
  'koffi.node',
]
export const install: Check = ({ install: dir, uid }) => {
  const missing = FILES.filter((name) => !existsSync(join(dir, 'lib', name)))
  if (missing.length > 0)
    return [
      fail(
        'install',
        `${join(dir, 'lib')} lacks ${missing.join(', ')}`,
        'rebuild it (npm run build), or pull the image',
      ),
    ]
  if (dir === '/opt/hermes' && uid !== 0 && isWritable(dir)) {
    return [
      warn(
        'install',
        `${dir} is writable for uid ${uid}`,
        'make root its owner; otherwise another user could change what root runs',
      ),
    ]
  }
  return [ok('install', `${dir}, Node ${process.versions.node}`)]
}

export const identity: Check = ({ uid, env, paths }) => {
  const who = `uid ${uid}, gid ${process.getgid?.()}, groups ${process.getgroups?.().join(' ')}`
  const owner = runtimeUser({ paths, uid })
  return uid === 0
    ? [
        warn(
          'identity',
          `${who}: root`,
          truthy(env.HERMES_DOCKER_EXEC_AS_ROOT) ? 'unset HERMES_DOCKER_EXEC_AS_ROOT' : 'run hermes as another user',
        ),
      ]
    : owner.uid === uid
      ? [ok('identity', who)]
      : [
          fail(
            'identity',
            `${who}; Hermes runs as uid ${owner.uid} here, and this user may neither control it nor read its files`,
            `run hermes as root or as that user: docker exec -u ${owner.uid}`,
          ),
        ]
}

/** A file dated in the future means that the clock was set back. Certificates and log names depend on the clock. */
export const clock: Check = ({ home, clock: { wallMs } }) => {
  const nowMs = wallMs()
  const newest = Math.max(
    0,
    ...['gateway_state.json', 'logs/supervisor.log', 'config.yaml'].map(
      (name) => lstatSync(join(home, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    ),
  )
  if (nowMs < Date.UTC(2025, 0))
    return [fail('clock', `the clock reads ${new Date(nowMs).toISOString()}`, 'set the clock of the host')]
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

export const disk: Check = ({ home }) => {
  const low = diskWarnings(home).map((text) =>
    fail('disk', text, 'free some space; hermes config set logging.archives keeps fewer logs'),
  )
  if (low.length > 0) return low
  const { bavail, bsize, files, ffree } = statfsSync(home)
  if (files > 0 && ffree < 100) return [fail('disk', `${home} has ${ffree} inodes left`, 'remove small files')]
  return [ok('disk', `${Math.round((bavail * bsize) / 1e6)} MB free at ${home}`)]
}
