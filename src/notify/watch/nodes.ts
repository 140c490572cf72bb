/** Nodes that share the board and are no longer heard of. Pure. */
import type { Node } from '../../kanban/port/nodes.ts'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'

export const NODE_NOTES = 'node:'

/** A lease that ends sooner than this after it was renewed was given back: the node has stopped in order. */
const wasLost = ({ heardAtMs, lease }: Node): boolean => lease.untilMs - heardAtMs >= lease.ms / 2

/** @param known states as the outbox has them, by id; a node that is met first is only remembered */
export function lookAtNodes(
  known: ReadonlyMap<string, unknown>,
  nodes: readonly Node[],
  wallMs: number,
): { readonly notes: readonly Note[]; readonly observed: readonly Observed[] } {
  const others = nodes.filter(({ own }) => !own)
  const changed = others.filter(({ id, state }) => known.get(id) !== state)
  return {
    notes: changed.map(({ id, state }) => ({ subject: `${NODE_NOTES}${id}`, value: state })),
    observed: changed
      .filter((node) => node.state === 'silent' && known.get(node.id) === 'live' && wasLost(node))
      .map(({ name, silentMs }) => ({
        event: 'node_lost',
        atMs: wallMs,
        text: `node ${name} has not been heard of for ${Math.round(silentMs / 1000)} s; hermes nodes`,
      })),
  }
}
