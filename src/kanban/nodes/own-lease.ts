/** Puts together what keeps the lease of this node. */
import { join } from 'node:path'
import { type ControlClient, connectControl } from '../../control/client.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import type { Environment } from '../../system/programs/install.ts'
import { ownNodeUrl } from '../../system/programs/node-access.ts'
import type { Leases } from '../port/nodes.ts'
import { readLabels } from '../rules.ts'
import { type NodeIdentity, volumeMark } from './identity.ts'
import { LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts'
import { leaseTimes } from './timing.ts'

export interface OwnLeaseFacts {
  readonly home: string
  readonly env: Environment
  readonly host: string
  readonly version: string
  readonly clock: Clock
  readonly bootMs: () => number
  readonly controlSocket: string
  readonly identity: NodeIdentity
  readonly leases: Leases
  readonly log: (level: Level, text: string) => void
  readonly wake: () => void
}

/** The connection to the supervisor stays open, so that others who use up the connections keep no renewal from it. */
export function ownLease(facts: OwnLeaseFacts): { readonly keeper: LeaseKeeper; close(): Promise<void> } {
  const { home, env, host, version, clock, bootMs, controlSocket, identity, leases, log, wake } = facts
  const length = new ConfigCache(({ config }) => config.kanban.nodeLeaseMs)
  const labels = new ConfigCache(({ config }) => config.kanban.labels)
  let client: ControlClient | undefined
  let instance: string | undefined
  const ask = async <T>(use: (client: ControlClient) => Promise<T>): Promise<T> => {
    client ??= await connectControl(controlSocket, clock)
    try {
      return await use(client)
    } catch (error) {
      client.close()
      client = undefined
      throw error
    }
  }
  const options: LeaseKeeperOptions = {
    leases,
    clock,
    bootMs,
    times: () => leaseTimes(length.of(join(home, 'config.yaml'))),
    card: async () => {
      instance ??= (await ask((open) => open.request('ping', {}))).instance
      return {
        ...identity,
        instance,
        volume: volumeMark(home),
        host,
        version,
        labels: readLabels(labels.of(join(home, 'config.yaml')), env.HERMES_NODE_LABELS).value,
        apiUrl: urlOf(env),
      }
    },
    profiles: () => listProfiles(home).profiles.map(({ name }) => name),
    handOver: async ({ epoch, atMs }) => {
      await ask((open) => open.request('node-lease', { epoch, workersUntilMs: atMs }))
    },
    log,
    wake,
  }
  return {
    keeper: new LeaseKeeper(options),
    async close() {
      client?.close()
      await leases.close()
    },
  }
}

/** null: there is no address, or the dashboard reports that other nodes must not use it. */
function urlOf(env: Environment): string | null {
  try {
    return ownNodeUrl(env) ?? null
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return null
  }
}
