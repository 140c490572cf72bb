/** Checks of the running parts: the supervisor and its slots, ports, zombies. */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ifSupervised, withSupervisor } from '../../control/slot-actions.ts'
import { loadConfig } from '../../profile/config/config.ts'
import { listProfiles, type ProfileEntry } from '../../profile/directory/disk.ts'
import { readContainerEnvironment, readDotEnv, truthy } from '../../profile/environment/environment.ts'
import { FRONT_PORT } from '../../profile/names.ts'
import type { SlotStatus, StatusResult, WarningFact } from '../../protocol/control.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../../protocol/volume-user.ts'
import { HermesError } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import { holderText, portHolder } from '../../system/programs/port-holder.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import type { Context } from '../context/context.ts'
import { findZombies, zombieWarnings } from '../context/warnings.ts'
import { type Check, type Finding, fail, ok, orOk, warn } from './finding.ts'

export const supervisor: Check = async (context) => {
  let status: StatusResult
  try {
    status = await withSupervisor(context, (client) => client.request('status', {}))
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return [warn('supervisor', error.message, error.next ?? 'start the container, or hermes start')]
  }
  const { phase, holderHost, slots, warnings, warningFacts = [] } = status
  const isSaid = reportedElsewhere(context)
  const own = warnings.flatMap((text, i) => {
    const fact = warningFacts[i]
    return fact !== undefined && isSaid(fact) ? [] : [{ text, slot: fact?.slot }]
  })
  const quiet = slots.filter(({ slot, state }) => state === 'backoff' && !own.some((one) => one.slot === slot))
  return [
    phase === 'waiting'
      ? warn('supervisor', `waits for the volume: ${volumeUserText(holderHost)}`, FREE_THE_VOLUME)
      : ok('supervisor', `answers at ${context.paths.controlSocket}: ${phase}, ${slots.length} slots`),
    ...own.map(({ text, slot }) =>
      warn('supervisor', text, slot === undefined ? 'hermes logs supervisor' : slotCommands(slot).logs),
    ),
    ...quiet.map(({ slot, reason }) => warn('supervisor', `${slot}: ${reason}`, slotCommands(slot).logs)),
  ]
}

/** Tells whether the check of profiles already reports this warning. */
function reportedElsewhere({ home }: Context): (fact: WarningFact) => boolean {
  const { profiles, problems } = listProfiles(home)
  const strays = new Set(problems.map(({ name }) => name || 'profiles/'))
  const faulty = new Set(
    profiles.filter(({ dir }) => loadConfig(join(dir, 'config.yaml')).problems.length > 0).map(({ name }) => name),
  )
  return ({ code, profile = '' }) =>
    code === 'NOT_A_PROFILE' ? strays.has(profile) : code === 'CONFIG' && faulty.has(profile)
}

interface WantedPort {
  readonly who: string
  readonly slot: string
  readonly port: number
  readonly setting: string
}

/** Finds two servers that want one port, and ports that other programs use. Each port is tried. */
export const ports: Check = async (context) => {
  const slots = (await ifSupervised(context, (client) => client.request('status', {})))?.slots ?? []
  const dashboard = slots.find(({ slot, wanted }) => slot === 'dashboard' && wanted !== 'down')
  const container = readContainerEnvironment(context.paths.environmentDir)
  const wanted: readonly WantedPort[] = [
    ...listProfiles(context.home).profiles.flatMap((profile) => apiPort(context, profile)),
    ...(dashboard === undefined
      ? []
      : [
          {
            who: 'the dashboard',
            slot: 'dashboard',
            port: Number(container.HERMES_DASHBOARD_PORT ?? 9119),
            setting: 'HERMES_DASHBOARD_PORT',
          },
        ]),
    ...(container.HERMES_FRONT_PORT
      ? [
          {
            who: 'the front port',
            slot: FRONT_PORT,
            port: Number(container.HERMES_FRONT_PORT),
            setting: 'HERMES_FRONT_PORT',
          },
        ]
      : []),
  ]
  const twice = wanted.flatMap(({ who, port, setting }, i) => {
    const first = wanted.findIndex((other) => other.port === port)
    return first === i
      ? []
      : [fail('ports', `${wanted[first]?.who} and ${who} both want port ${port}`, `set another ${setting} for ${who}`)]
  })
  const taken = (
    await Promise.all(wanted.map((one) => (isPort(one.port) ? portFinding(one, slots) : [noPort(one)])))
  ).flat()
  return orOk(
    'ports',
    wanted.length === 0 ? 'no server is enabled' : wanted.map(({ who, port }) => `${who}: ${port}`).join(', '),
    [...twice, ...taken],
  )
}

function apiPort({ paths }: Context, { name, dir }: ProfileEntry): readonly WantedPort[] {
  const dotEnv = readDotEnv(join(dir, '.env')).variables
  const env = name === 'default' ? { ...dotEnv, ...readContainerEnvironment(paths.environmentDir) } : dotEnv
  return truthy(env.API_SERVER_ENABLED)
    ? [
        {
          who: `"${name}"`,
          slot: gatewaySlot(name),
          port: Number(env.API_SERVER_PORT ?? 8642),
          setting: 'API_SERVER_PORT',
        },
      ]
    : []
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/** The server itself parks with the value in its message. */
const noPort = ({ who, setting }: WantedPort): Finding =>
  fail('ports', `${setting} of ${who} is not a whole number from 1 to 65535`, `set another ${setting}`)

/**
 * Tells whether the server that wants a port has it, or another slot, which is reported elsewhere. In the container,
 * no other process may look into the dashboard's; one that is ready listens.
 */
function isOwn({ port, slot }: WantedPort, slots: readonly SlotStatus[]): boolean {
  const holder = portHolder(port)
  return holder === undefined
    ? slots.some((one) => one.slot === slot && one.state === 'up' && one.ready)
    : slots.some(({ pid }) => pid === holder.pid)
}

function portFinding(wanted: WantedPort, slots: readonly SlotStatus[]): Promise<readonly Finding[]> {
  const { who, port, setting } = wanted
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EADDRINUSE' && isOwn(wanted, slots)) resolve([])
      else {
        const why = code === 'EADDRINUSE' ? `already in use by ${holderText(port)}` : `not available (${code})`
        resolve([fail('ports', `port ${port} of ${who} is ${why}`, `stop that program, or set another ${setting}`)])
      }
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve([])))
  })
}

export const zombies: Check = ({ paths }) =>
  orOk(
    'zombies',
    'none',
    zombieWarnings(findZombies(paths.initPid)).map((text) =>
      warn('zombies', text, 'report it to its authors, or run it in a separate container'),
    ),
  )
