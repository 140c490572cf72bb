/** The nodes that share a board. */
import * as z from 'zod/mini'
import { optional, text, time, whole } from './fields.ts'

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

/** `from`: the id of the node that has the profile. `epoch`: of the move; absent: only ask whether it may come. */
export const Take = z.strictObject({ from: text(100), epoch: optional(whole()) })
export const TakeProgress = z.strictObject({ bytes: whole() })
/** `problem`: the profile is in place, but its gateway was not started. */
export const TakeDone = z.strictObject({ started: z.boolean(), problem: optional(z.string()) })
