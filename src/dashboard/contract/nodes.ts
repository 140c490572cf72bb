/** The nodes that share a board. */
import * as z from 'zod/mini'
import { optional, time, whole } from './fields.ts'

export const Node = z.strictObject({
  name: z.string(),
  /** The node of this dashboard. */
  here: z.boolean(),
  /** `lapsed`: nothing has been heard of it for longer than its lease, and none of its workers runs. */
  state: z.enum(['up', 'lapsed']),
  heard_at: time(),
  silent_s: whole(),
  version: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Where other nodes reach its dashboard; absent: they cannot steer its gateways. */
  url: optional(z.string()),
  /** Its profiles on the board. */
  profiles: z.array(z.string()),
  /** Host of another container with the same id or name, which this one keeps out. */
  rival: optional(z.string()),
})
export type Node = z.infer<typeof Node>
/** Empty where the board is in files: there is one container then. */
export const Nodes = z.strictObject({ nodes: z.array(Node) })
export type Nodes = z.infer<typeof Nodes>
