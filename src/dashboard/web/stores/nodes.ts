/** The nodes that share the board, and the gateways of each, which their own dashboards know. */
import type { Nodes } from '../../contract/nodes.ts'
import type { ActionDone, Profiles } from '../../contract/slots.ts'
import type { Client } from '../client/client.ts'
import { type Loaded, usePolled } from './async.ts'
import type { Action } from './fleet.ts'

const EVERY_MS = 3_000

const gatewaysPath = (node: string): string => `/api/nodes/${node}/gateways`
export const nodeLogPath = (node: string, profile: string): string => `${gatewaysPath(node)}/${profile}/logs`

export const useNodes = (client: Client): Loaded<Nodes> =>
  usePolled('nodes', () => client.get<Nodes>('/api/nodes'), EVERY_MS)

export const useGateways = (client: Client, node: string): Loaded<Profiles> =>
  usePolled(node, () => client.get<Profiles>(gatewaysPath(node)), EVERY_MS)

/** @returns starts, stops or restarts a gateway through its node, and loads the new state */
export const performOn =
  (client: Client, node: string, profile: string, { reload }: Pick<Loaded<Profiles>, 'reload'>) =>
  async (action: Action): Promise<ActionDone> => {
    const done = await client.send<ActionDone>('POST', `${gatewaysPath(node)}/${profile}`, { action })
    void reload()
    return done
  }
