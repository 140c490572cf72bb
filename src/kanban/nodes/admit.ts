/** Decides, purely, who gets a node's lease. */
import type { NodeCard } from '../port/nodes.ts'

/** A row of the nodes' table. */
export interface NodeRow {
  readonly id: string
  readonly name: string
  readonly instance: string
  readonly volume: string
  readonly epoch: number
  /** Its lease is in force. */
  readonly inForce: boolean
}

export type Admission =
  | { readonly do: 'refuse'; readonly same: 'id' | 'name'; readonly by: NodeRow }
  | {
      readonly do: 'admit'
      readonly epoch: number
      /** A node of this name whose lease has lapsed gives the name up. */
      readonly rename?: { readonly id: string; readonly to: string }
    }

/**
 * A lease that is in force goes to another life of the container only on the same volume: the volume's lock has shown
 * that the earlier life is over. A copy of a volume waits until the lease has lapsed.
 * @param same the row with the id of the card
 * @param namesake the row of another node with the name of the card
 */
export function admit(
  card: Pick<NodeCard, 'id' | 'name' | 'instance' | 'volume'>,
  same: NodeRow | undefined,
  namesake: NodeRow | undefined,
): Admission {
  if (same?.inForce && same.instance !== card.instance && same.volume !== card.volume)
    return { do: 'refuse', same: 'id', by: same }
  if (namesake?.inForce) return { do: 'refuse', same: 'name', by: namesake }
  const goesOn = same?.inForce === true && same.instance === card.instance
  const epoch = same === undefined ? 1 : goesOn ? same.epoch : same.epoch + 1
  if (namesake === undefined) return { do: 'admit', epoch }
  return { do: 'admit', epoch, rename: { id: namesake.id, to: `${namesake.name}~${namesake.id.slice(0, 8)}` } }
}
