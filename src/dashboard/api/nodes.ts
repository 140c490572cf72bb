/** Every node that shares the board, and their gateways, which are steered through the dashboards of their nodes. */
import { NOTHING, sees } from '../../access/scope.ts'
import type { PeerAnswer } from '../../control/peers.ts'
import { isAway } from '../../kanban/port/boards.ts'
import type { Node } from '../../kanban/port/nodes.ts'
import { HermesError } from '../../system/errors.ts'
import type { Handlers } from '../contract/handler.ts'
import type { LogPage } from '../contract/logs.ts'
import type { Node as NodeJson } from '../contract/nodes.ts'
import type { ActionDone, Profiles } from '../contract/slots.ts'
import { notFound, RefusedRequest, unavailable } from '../gate/refusals.ts'
import { relay } from '../live/relay.ts'
import type { ApiFacts } from './facts.ts'
import { logHandlers } from './logs.ts'
import { profileHandlers } from './profiles.ts'

type Names = 'nodes' | 'gatewaysOfNode' | 'gatewayOfNode' | 'logsOfNode' | 'followLogsOfNode'

export function nodesHandlers(facts: ApiFacts): Pick<Handlers, Names> {
  const { boards, peers } = facts
  const local = { ...profileHandlers(facts), ...logHandlers(facts) }
  const known = (): Promise<readonly Node[]> => boards.nodes().catch(refuse)
  const nodeOf = async ({ node: name = '' }: Readonly<Record<string, string>>): Promise<Node> => {
    const found = (await known()).find((node) => node.name === name)
    if (found === undefined) throw notFound(`no node "${name.slice(0, 100)}"`, 'see /api/nodes')
    return found
  }
  const ask = async (node: Node, method: 'GET' | 'POST', path: string, json?: unknown): Promise<unknown> =>
    bodyOf(await peers.ask(node, method, path, json).catch(refuse))
  return {
    nodes: async ({ rights = NOTHING }) => {
      const nodes = (await known()).map(nodeJson)
      return {
        status: 200,
        body: {
          nodes: nodes.map((node) => ({ ...node, profiles: node.profiles.filter((name) => sees(rights, name)) })),
        },
      }
    },
    gatewaysOfNode: async (call) => {
      const node = await nodeOf(call.params)
      if (node.own) return local.profiles({ ...call })
      const { profiles, helpers } = (await ask(node, 'GET', '/api/node/gateways')) as Profiles
      const { rights = NOTHING } = call
      return {
        status: 200,
        body: {
          profiles: profiles.filter(({ name }) => sees(rights, name)),
          helpers: helpers.filter(() => sees(rights, undefined)),
        },
      }
    },
    gatewayOfNode: async (call) => {
      const node = await nodeOf(call.params)
      if (node.own) return local.gateway({ ...call })
      const body = await ask(node, 'POST', pathOf(call.params), { action: call.body.action })
      return { status: 200, body: body as ActionDone }
    },
    logsOfNode: async (call) => {
      const node = await nodeOf(call.params)
      if (node.own) return local.logs({ ...call })
      return {
        status: 200,
        body: (await ask(node, 'GET', `${pathOf(call.params)}/logs${call.facts.search}`)) as LogPage,
      }
    },
    followLogsOfNode: async (call) => {
      const node = await nodeOf(call.params)
      if (node.own) return local.followLogs({ ...call })
      const closing = new AbortController()
      const stream = await peers.open(node, `${pathOf(call.params)}/logs/follow`, closing.signal).catch(refuse)
      if (!(stream instanceof ReadableStream)) throw refusedBy(stream)
      try {
        facts.stream(call, (viewer) => void relay(stream, viewer))
      } catch (error) {
        closing.abort()
        throw error
      }
      return { stream: true }
    },
  }
}

const pathOf = ({ name = '' }: Readonly<Record<string, string>>): string =>
  `/api/node/gateways/${encodeURIComponent(name)}`

const nodeJson = (node: Node): NodeJson => ({
  name: node.name,
  here: node.own,
  state: node.state === 'live' ? 'up' : 'lapsed',
  heard_at: new Date(node.heardAtMs).toISOString(),
  silent_s: Math.floor(node.silentMs / 1000),
  version: node.version,
  labels: { ...node.labels },
  ...(node.apiUrl === null ? {} : { url: node.apiUrl }),
  profiles: [...node.profiles],
  ...(node.rival === null ? {} : { rival: node.rival.host }),
})

/** The other dashboard's refusal goes to the page as it is. */
function bodyOf({ status, body }: PeerAnswer): unknown {
  if (status < 300) return body
  throw refusedBy({ status, body })
}

const refusedBy = ({ status, body }: PeerAnswer): RefusedRequest => {
  const { error, detail, next } = body as {
    readonly error?: unknown
    readonly detail?: unknown
    readonly next?: unknown
  }
  return new RefusedRequest(status, {
    error: String(error ?? 'unknown'),
    detail: String(detail ?? ''),
    ...(next === undefined ? {} : { next: String(next) }),
  })
}

/** Answers with 503 what may succeed later. */
function refuse(error: unknown): never {
  if (isAway(error)) throw unavailable('no_database', error.message, error.next)
  if (error instanceof HermesError && error.detail === 'NO_NODE')
    throw unavailable('node_unreachable', error.message, error.next)
  throw error
}
