/** The nodes that share a database: containers, each with a volume and profiles of its own. */

/** A node as every other one sees it. Instants are those of the database's clock, Unix ms. */
export interface Node {
  /** Random, made once for a volume. */
  readonly id: string
  readonly name: string
  /** The process that asks belongs to this node. */
  readonly own: boolean
  /** `live`: its lease is in force. `silent`: it has lapsed, and none of its workers runs. */
  readonly state: 'live' | 'silent'
  readonly lease: {
    /** Rises with each life of the node. */
    readonly epoch: number
    readonly ms: number
    /** Since when the node has held it without a gap. */
    readonly takenAtMs: number
    readonly untilMs: number
  }
  readonly heardAtMs: number
  /** Time since then, by the database's clock. */
  readonly silentMs: number
  /** Random, one per life of the container. */
  readonly instance: string
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  /** Where other nodes reach its dashboard. */
  readonly apiUrl: string | null
  /** Profiles that are its own on the board, by name; its default one is `default` or `default@NAME`. */
  readonly profiles: readonly string[]
  /** The pool of each of them that is in one, if the board has pools. */
  readonly pools: Readonly<Record<string, string>>
  /** Another container that has the same id or name, and that this one has kept out. */
  readonly rival: { readonly host: string; readonly atMs: number } | null
}

/** Facts about a node that its dispatcher writes with each lease. */
export interface NodeCard {
  readonly id: string
  readonly name: string
  readonly instance: string
  /** Which file system object holds the id: a copy of the volume has another one. */
  readonly volume: string
  readonly host: string
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  readonly apiUrl: string | null
  readonly leaseMs: number
}

export type LeaseAnswer =
  | {
      readonly state: 'held'
      readonly epoch: number
      /** Ids of nodes that are silent for so long that their runs are taken, in order. */
      readonly lapsed: readonly string[]
    }
  /** Another node that lives has this id, or this name. */
  | { readonly state: 'refused'; readonly same: 'id' | 'name'; readonly instance: string }

/** The lease of one node, on a connection of its own: no tick and no command holds a renewal up. */
export interface Leases {
  /**
   * Renews the lease, or takes it anew if it has lapsed.
   * @param epoch of the lease that this process holds
   * @throws HermesError while the database does not answer
   */
  take(card: NodeCard, epoch: number | undefined): Promise<LeaseAnswer>
  /** Ends the lease now: no worker of the node runs any more. */
  release(id: string, epoch: number): Promise<void>
  /** Makes these the profiles of the node, as far as no other node has them. */
  register(id: string, profiles: readonly string[]): Promise<void>
  close(): Promise<void>
}

/** The name under which the default profile of a node that is not the first one is on the board. */
export const defaultOf = (node: string): string => `default@${node}`
