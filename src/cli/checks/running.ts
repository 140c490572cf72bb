/** What runs, or could not: the supervisor and its slots, ports, zombies. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { withSupervisor } from '../../control/slot-actions.ts'
import { listProfiles, type ProfileEntry } from '../../profile/disk.ts'
import { readContainerEnvironment, readDotEnv, truthy } from '../../profile/environment.ts'
import type { Context } from '../context.ts'
import { findZombies, zombieWarnings } from '../warnings.ts'
import { type Check, type Finding, fail, ok, orFine, warn } from './finding.ts'

export const supervisor: Check = async (context) => {
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
export const ports: Check = async (context) => {
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

export const zombies: Check = ({ paths }) =>
  orFine(
    'zombies',
    'none',
    zombieWarnings(findZombies(paths.initPid)).map((text) =>
      warn('zombies', text, 'tell its authors, or run it in a container of its own'),
    ),
  )
