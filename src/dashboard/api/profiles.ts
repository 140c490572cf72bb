import { join } from 'node:path'
import { NOTHING, sees } from '../../access/scope.ts'
import { addProfile, requireVolume } from '../../control/profile-actions.ts'
import { act, noSuchSlot, SLOT_ACTIONS, withSupervisor } from '../../control/slot-actions.ts'
import { removeProfileAndWorkers } from '../../kanban/profiles/profile-removal.ts'
import { readActiveProfile } from '../../profile/active.ts'
import { ConfigCache, configProblemText, loadConfig } from '../../profile/config/config.ts'
import { listProfiles, type ProfileEntry, requireProfile } from '../../profile/directory/disk.ts'
import { refuseDefault } from '../../profile/directory/remove.ts'
import { parseProfileName } from '../../profile/names.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { gatewaySlot, profileOfSlot } from '../../system/paths.ts'
import type { Handlers } from '../contract/handler.ts'
import type { Profile } from '../contract/slots.ts'
import { badRequest } from '../gate/refusals.ts'
import { readHistory } from '../history/read.ts'
import { type ApiFacts, askStatus } from './facts.ts'

/** Helpers and services have no config.yaml to say how long they may take. */
const HELPER_TIMEOUT_MS = 75_000

export function profileHandlers(
  facts: ApiFacts,
): Pick<
  Handlers,
  'profiles' | 'profile' | 'createProfile' | 'deleteProfile' | 'gateway' | 'slot' | 'deaths' | 'history'
> {
  const { home } = facts
  // A hundred profiles' settings are not parsed again for each list.
  const descriptions = new ConfigCache(({ config }) => config.description)
  const named = ({ name = '' }: Readonly<Record<string, string>>): ProfileEntry => requireProfile(home, name)
  return {
    profiles: async ({ rights = NOTHING }) => {
      const { slots } = await askStatus(facts)
      const known = knownOf(home, slots)
      return {
        status: 200,
        body: {
          profiles: listProfiles(home)
            .profiles.filter(({ name }) => sees(rights, name))
            .map((entry) => describe(facts, descriptions, entry, known)),
          helpers: slots.filter(
            ({ slot, profile }) => profile === undefined && !slot.startsWith('job-') && sees(rights, undefined),
          ),
        },
      }
    },
    profile: async ({ params }) => {
      const entry = named(params)
      const { slots } = await askStatus(facts)
      const { config, problems } = loadConfig(join(entry.dir, 'config.yaml'))
      const { command, openai } = config.agent
      return {
        status: 200,
        body: {
          ...describe(facts, descriptions, entry, knownOf(home, slots)),
          directory: entry.dir,
          agent: command !== null ? 'command' : openai !== null ? 'openai' : null,
          problems: problems.map(configProblemText),
        },
      }
    },
    createProfile: async ({ body }) => {
      const name = parseProfileName(body.name)
      const { dir, slot } = await addProfile(facts, name, {
        ...(body.clone === undefined ? {} : { cloneFrom: requireProfile(home, body.clone.trim().toLowerCase()).name }),
        ...(body.description === undefined ? {} : { description: body.description }),
        start: body.start === true,
      })
      const known = knownOf(home, slot === undefined ? [] : [slot])
      return { status: 201, body: describe(facts, descriptions, { name, dir }, known) }
    },
    deleteProfile: async ({ params, body }) => {
      const { name = '' } = params
      refuseDefault(name, 'deleted')
      const entry = named(params)
      if (body.confirm !== entry.name)
        throw badRequest(`nothing was deleted: "${body.confirm}" is not "${entry.name}"`, 'type its name to confirm')
      await requireVolume(facts, 'deleted', entry.name)
      await removeProfileAndWorkers({ ...facts, actor: 'dashboard' }, entry.name, body.keep_logs === true)
      return { status: 204 }
    },
    gateway: async ({ params, body }) => {
      const { name } = named(params)
      const done = await withSupervisor(facts, (client) =>
        SLOT_ACTIONS[body.action](facts, client, name, { wait: false }),
      )
      return { status: 200, body: done }
    },
    slot: async ({ params, body }) => {
      const { slot = '' } = params
      const done = await withSupervisor(facts, async (client) => {
        const status = await client.request('status', {})
        if (profileOfSlot(slot) !== undefined || !status.slots.some((one) => one.slot === slot))
          throw noSuchSlot(slot, status)
        return act(client, body.action, slot, { wait: false }, HELPER_TIMEOUT_MS)
      })
      return { status: 200, body: done }
    },
    deaths: async ({ params }) => {
      const slot = gatewaySlot(named(params).name)
      return { status: 200, body: await withSupervisor(facts, (client) => client.request('deaths', { slot })) }
    },
    history: ({ params, query }) => {
      const step = query.step === undefined ? undefined : Number(query.step)
      return { status: 200, body: readHistory(facts, gatewaySlot(named(params).name), step) }
    },
  }
}

/** Facts about all profiles, looked up once for a list of a thousand. */
interface Known {
  /** Name of the active profile. */
  readonly active: string
  readonly slots: ReadonlyMap<string, SlotStatus>
}

const knownOf = (home: string, slots: readonly SlotStatus[]): Known => ({
  active: readActiveProfile(home),
  slots: new Map(
    slots.flatMap((slot) => {
      const profile = profileOfSlot(slot.slot)
      return profile === undefined ? [] : [[profile, slot]]
    }),
  ),
})

function describe(
  { feed }: ApiFacts,
  descriptions: ConfigCache<string>,
  { name, dir }: ProfileEntry,
  known: Known,
): Profile {
  const slot = known.slots.get(name)
  const description = descriptions.of(join(dir, 'config.yaml'))
  const usage = feed.usageOf(gatewaySlot(name))
  return {
    name,
    ...(description === '' ? {} : { description }),
    active: known.active === name,
    ...(slot === undefined ? {} : { slot }),
    ...(usage === undefined ? {} : { usage }),
  }
}
