/** The answers to other nodes: those of the page's routes, for callers with the node token. */
import type { Handlers } from '../contract/handler.ts'
import type { ApiFacts } from './facts.ts'
import { logHandlers } from './logs.ts'
import { profileHandlers } from './profiles.ts'

export function nodeHandlers(
  facts: ApiFacts,
): Pick<Handlers, 'nodeGateways' | 'nodeGateway' | 'nodeLogs' | 'followNodeLogs'> {
  const { profiles, gateway } = profileHandlers(facts)
  const { logs, followLogs } = logHandlers(facts)
  return {
    nodeGateways: (call) => profiles({ ...call }),
    nodeGateway: (call) => gateway({ ...call }),
    nodeLogs: (call) => logs({ ...call }),
    followNodeLogs: (call) => followLogs({ ...call }),
  }
}
