/** The check of the walls between profiles. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../profile/config/config.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import { readWalls } from '../../profile/walled.ts'
import { WALLS_FILE } from '../../walls/record.ts'
import { type Check, fail, ok, warn } from './finding.ts'

export const walls: Check = ({ home, env }) => {
  const found = readWalls(home)
  if (typeof found === 'string')
    return [
      fail(
        'walls',
        `${join(home, WALLS_FILE)} cannot be used: ${found}`,
        'no walled gateway starts; correct it or restore it from a backup, then restart the container',
      ),
    ]
  if (found.size === 0) return []
  const { profiles } = listProfiles(home)
  const own = profiles.filter(({ name }) => found.has(name))
  const problems = own.flatMap(({ name, dir }) => {
    const { uid } = statSync(dir)
    const wanted = found.get(name)?.uid
    return uid === wanted
      ? []
      : [fail('walls', `${dir} belongs to uid ${uid}, not to ${wanted}, its own`, 'restart the container')]
  })
  if (!env.HERMES_PROFILE_UIDS)
    problems.push(
      fail(
        'walls',
        'there are walled profiles, and HERMES_PROFILE_UIDS is not set: they do not start',
        'start the container with the range that it had (docs/walls.md)',
      ),
    )
  const shared = profiles
    .filter(({ name, dir }) => !found.has(name) && (name !== DEFAULT_PROFILE || hasAgent(dir)))
    .map(({ name }) => name)
  if (shared.length > 0)
    problems.push(
      warn(
        'walls',
        `${shared.length === 1 ? 'profile' : 'profiles'} ${shared.slice(0, 5).join(', ')}${shared.length > 5 ? ', …' : ''} ` +
          `${shared.length === 1 ? 'is' : 'are'} not walled: their gateways have the uid of the supervisor, and can read and change what walled profiles rely on`,
        'wall them too: hermes profile wall NAME',
      ),
    )
  return problems.length > 0 ? problems : [ok('walls', `${own.length} walled, each with a user of its own`)]
}

/** The gateway of the default profile runs in every container; one without an agent runs nothing of a user. */
function hasAgent(dir: string): boolean {
  const { agent, gateway } = loadConfig(join(dir, 'config.yaml')).config
  return agent.command !== null || agent.openai !== null || gateway.command !== null
}
