/** Slots, profiles and the stream of events. */
import * as z from 'zod/mini'
import { optional, text, time, whole } from './fields.ts'

export const Death = z.strictObject({
  at: time(),
  upMs: optional(z.number()),
  exitCode: optional(z.int()),
  signal: optional(z.string()),
})
export type Death = z.infer<typeof Death>
const SLOT_STATES = ['down', 'starting', 'up', 'stopping', 'backoff', 'parked', 'done'] as const

export const Slot = z.strictObject({
  slot: z.string(),
  profile: optional(z.string()),
  state: z.enum(SLOT_STATES),
  wanted: z.enum(['up', 'down', 'once']),
  ready: z.boolean(),
  pid: optional(z.int()),
  since: time(),
  restarts: whole(),
  lastDeath: optional(Death),
  nextStartAt: optional(time()),
  reason: optional(z.string()),
  /** As its liveness sees it; absent: it is not up, or has none. */
  health: optional(z.enum(['ok', 'quiet', 'stuck'])),
  evidence: optional(z.array(z.string())),
  log: z.string(),
})
export type Slot = z.infer<typeof Slot>

export const Usage = z.strictObject({
  /** In cores: 0.25 is a quarter of a core. */
  cpu: z.number(),
  /** PSS of the processes, or their resident memory if the kernel does not provide PSS. */
  memory_bytes: whole(),
  processes: whole(),
})
export type Usage = z.infer<typeof Usage>

export const Details = z.strictObject({
  needsAgent: optional(z.boolean()),
  manager: z.enum(['s6-compatible', 'foreground']),
  version: z.string(),
  pid1: z.boolean(),
  identity: z.strictObject({ uid: z.int(), gid: z.int() }),
  phase: z.enum(['booting', 'waiting', 'running', 'stopping']),
  holder: optional(z.string()),
  holderHost: optional(z.string()),
  slots: z.array(Slot),
  warnings: z.array(z.string()),
  /** The subject of each of `warnings`, in their order. */
  warningFacts: optional(
    z.array(
      z.strictObject({
        code: z.enum([
          'SLOT_PARKED',
          'CRASH_LOOP',
          'NOT_A_PROFILE',
          'CONFIG',
          'SERVICE',
          'VOLUME',
          'NO_SOCKET',
          'MORE',
        ]),
        slot: optional(z.string()),
        profile: optional(z.string()),
      }),
    ),
  ),
})
export type Details = z.infer<typeof Details>

/** `details` for a caller who is logged in, or where no log-in is needed. */
export const Status = z.strictObject({
  version: z.string(),
  auth_required: z.boolean(),
  auth_providers: z.array(z.string()),
  gateway_running: z.boolean(),
  gateway_state: optional(z.string()),
  gateway_updated_at: optional(time()),
  profiles: z.strictObject({ total: whole(), running: whole(), parked: whole() }),
  /** Viewers signed in or watching. */
  active_sessions: whole(),
  details: optional(Details),
})
export type Status = z.infer<typeof Status>

export const Profile = z.strictObject({
  name: z.string(),
  description: optional(z.string()),
  /** The one that commands without `-p` mean. */
  active: z.boolean(),
  slot: optional(Slot),
  usage: optional(Usage),
})
export type Profile = z.infer<typeof Profile>
export const ProfileDetails = z.extend(Profile, {
  directory: z.string(),
  agent: z.nullable(z.enum(['command', 'openai'])),
  problems: z.array(z.string()),
})
export type ProfileDetails = z.infer<typeof ProfileDetails>
export const Profiles = z.strictObject({ profiles: z.array(Profile), helpers: z.array(Slot) })
export type Profiles = z.infer<typeof Profiles>
export const NewProfile = z.strictObject({
  name: text(200),
  clone: optional(text(200)),
  description: optional(text(500)),
  start: optional(z.boolean()),
})
export type NewProfile = z.infer<typeof NewProfile>
export const Confirmation = z.strictObject({ confirm: text(200), keep_logs: optional(z.boolean()) })
export const SlotAction = z.strictObject({ action: z.enum(['start', 'stop', 'restart']) })
export const ActionDone = z.strictObject({ changed: z.boolean(), slot: Slot })
export type ActionDone = z.infer<typeof ActionDone>
export const Deaths = z.strictObject({ deaths: z.array(Death) })
export type Deaths = z.infer<typeof Deaths>

export const SlotChange = z.strictObject({
  type: z.enum(['slot', 'removed']),
  at: time(),
  slot: Slot,
  missed: optional(whole()),
})
export type SlotChange = z.infer<typeof SlotChange>
/** The supervisor does not answer; `status` comes when it does again. */
export const Away = z.strictObject({})
export const UsageSample = z.strictObject({ slots: z.record(z.string(), Usage) })
export type UsageSample = z.infer<typeof UsageSample>
export const BoardChange = z.strictObject({ board: z.string() })
export type BoardChange = z.infer<typeof BoardChange>
