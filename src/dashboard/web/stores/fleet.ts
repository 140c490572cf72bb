/** Profiles, slots and what they use: loaded once, then kept by the event stream. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import type {
  ActionDone,
  Details,
  NewProfile,
  Profile,
  Profiles,
  Slot,
  SlotChange,
  UsageSample,
} from '../../contract/slots.ts'
import { type Client, Failure } from '../client/client.ts'
import { type Connection, type Following, follow } from '../client/follow.ts'
import type { ServerEvent } from '../core/event-stream.ts'
import { type UsageHistory, withSample } from '../core/usage-history.ts'

export type Action = 'start' | 'stop' | 'restart'
export type ProfileFacts = Pick<Profile, 'name' | 'description' | 'active'>

export interface Fleet {
  readonly connection: ReadonlySignal<Connection>
  /** Undefined until the first answer. */
  readonly profiles: ReadonlySignal<readonly ProfileFacts[] | undefined>
  readonly slots: ReadonlySignal<ReadonlyMap<string, Slot>>
  readonly usage: ReadonlySignal<ReadonlyMap<string, UsageHistory>>
  /** The supervisor does not answer the dashboard: what is shown of slots may be old. */
  readonly supervisorAway: ReadonlySignal<boolean>
  /** Everything about the supervisor but its slots; undefined until it is known. */
  readonly supervisor: ReadonlySignal<Omit<Details, 'slots'> | undefined>
  /** Slots that belong to no profile, jobs left out. */
  readonly helpers: ReadonlySignal<readonly string[]>
  retryNow(): void
  act(slot: string, action: Action, profile?: string): Promise<ActionDone>
  create(profile: NewProfile): Promise<Profile>
  remove(name: string, keepLogs: boolean): Promise<void>
  /** Called when a board has changed. @returns ends it */
  onBoard(listener: (board: string) => void): () => void
}

export const gatewaySlot = (profile: string): string => `gateway-${profile}`

/** A worker has the profile of its task, but is not the gateway. */
export const isGateway = ({ slot, profile }: Pick<Slot, 'slot' | 'profile'>): boolean =>
  profile !== undefined && slot === gatewaySlot(profile)

/** Facts as they are now; those that have not changed stay the same object, and their rows are not drawn again. */
function withKept(before: readonly ProfileFacts[], now: readonly ProfileFacts[]): readonly ProfileFacts[] {
  const known = new Map(before.map((profile) => [profile.name, profile]))
  return now.map(({ name, description, active }) => {
    const was = known.get(name)
    if (was !== undefined && was.description === description && was.active === active) return was
    return { name, active, ...(description === undefined ? {} : { description }) }
  })
}

/** Whether there is a slot for each of the profiles, and no other profile's. */
function namesSame(profiles: readonly Pick<ProfileFacts, 'name'>[], slots: Iterable<Slot>): boolean {
  const left = new Set(profiles.map(({ name }) => name))
  for (const { slot, profile } of slots) if (isGateway({ slot, profile }) && !left.delete(profile ?? '')) return false
  return left.size === 0
}

/** @param listening false before the log-in: no requests are made */
export function createFleet(client: Client, listening: boolean): Fleet {
  const connection = signal<Connection>({ state: 'connecting' })
  const profiles = signal<readonly ProfileFacts[] | undefined>(undefined)
  const slots = signal<ReadonlyMap<string, Slot>>(new Map())
  const usage = signal<ReadonlyMap<string, UsageHistory>>(new Map())
  const supervisor = signal<Omit<Details, 'slots'> | undefined>(undefined)
  const supervisorAway = signal(false)
  const boardListeners = new Set<(board: string) => void>()
  let loading: Promise<void> | undefined
  /** Profiles came or went while they were loaded. */
  let outdated = false

  const load = (): Promise<void> => {
    outdated = loading !== undefined
    loading ??= request().finally(() => {
      loading = undefined
    })
    return loading
  }

  const request = async (): Promise<void> => {
    try {
      const answer = await client.get<Profiles>('/api/profiles')
      if (outdated && supervisor.value !== undefined && !namesSame(answer.profiles, slots.value.values())) {
        outdated = false
        return await request()
      }
      profiles.value = withKept(profiles.value ?? [], answer.profiles)
      const known = [...answer.profiles.flatMap(({ slot }) => slot ?? []), ...answer.helpers]
      // States from the stream are newer than this answer.
      slots.value = new Map([...known.map((slot) => [slot.slot, slot] as const), ...slots.value])
    } catch (error) {
      // The stream notices too that the server is away, and loads again.
      if (!(error instanceof Failure)) throw error
    }
  }

  const changed = ({ type, slot }: SlotChange): void => {
    const next = new Map(slots.value)
    const isNew = !next.has(slot.slot)
    if (type === 'removed') next.delete(slot.slot)
    else next.set(slot.slot, slot)
    slots.value = next
    if (isGateway(slot) && (type === 'removed' || isNew)) void load()
  }

  const heard = ({ name, data }: ServerEvent): void => {
    switch (name) {
      case 'status': {
        const { slots: all, ...rest } = JSON.parse(data) as Details
        supervisor.value = rest
        supervisorAway.value = false
        slots.value = new Map(all.map((slot) => [slot.slot, slot]))
        if (loading !== undefined || !namesSame(profiles.value ?? [], all)) void load()
        return
      }
      case 'slot':
      case 'removed':
        changed(JSON.parse(data) as SlotChange)
        return
      case 'away':
        supervisorAway.value = true
        return
      case 'usage': {
        const sample = (JSON.parse(data) as UsageSample).slots
        usage.value = new Map(
          Object.entries(sample).map(([slot, one]) => [slot, withSample(usage.value.get(slot), one)] as const),
        )
        return
      }
      case 'kanban': {
        const { board } = JSON.parse(data) as { board: string }
        for (const listener of boardListeners) listener(board)
      }
    }
  }

  const following: Following | undefined = listening
    ? follow(client, '/api/events', {
        event: heard,
        opened: () => void load(),
        changed: (state) => {
          connection.value = state
        },
      })
    : undefined

  return {
    connection,
    profiles,
    slots,
    usage,
    supervisor,
    supervisorAway,
    helpers: computed(() =>
      [...slots.value.values()]
        .filter(({ profile, slot }) => profile === undefined && !slot.startsWith('job-'))
        .map(({ slot }) => slot)
        .sort(),
    ),
    retryNow: () => following?.retryNow(),
    act: (slot, action, profile) =>
      client.send<ActionDone>(
        'POST',
        profile === undefined ? `/api/slots/${slot}` : `/api/profiles/${profile}/gateway`,
        { action },
      ),
    async create(profile) {
      const made = await client.send<Profile>('POST', '/api/profiles', profile)
      await load()
      return made
    },
    async remove(name, keepLogs) {
      await client.send('DELETE', `/api/profiles/${name}`, { confirm: name, keep_logs: keepLogs })
      profiles.value = profiles.value?.filter((profile) => profile.name !== name)
      await load()
    },
    onBoard(listener) {
      boardListeners.add(listener)
      return () => boardListeners.delete(listener)
    },
  }
}
