/**
 * Every request and answer of the dashboard's API, as schemas: the server checks what comes in with them, the OpenAPI
 * document and its tests are made from them, and the page takes its types from here. Times are RFC 3339 UTC, unknown
 * facts are absent.
 */
import * as z from 'zod/mini'
import { STATUSES } from '../../kanban/task.ts'

const text = (max: number) => z.string().check(z.maxLength(max))
const optional = z.optional
const time = () => z.iso.datetime({ offset: true })
const whole = () => z.int().check(z.minimum(0))
/** A number in a query string. */
const wholeText = (min: number, max: number) =>
  z.pipe(
    z.string().check(z.regex(/^\d{1,7}$/)),
    z.pipe(z.transform(Number), z.int().check(z.minimum(min), z.maximum(max))),
  )

// ---- errors

export const ApiError = z.strictObject({ error: z.string(), detail: z.string(), next: optional(z.string()) })
export const Unauthenticated = z.strictObject({
  error: z.enum(['unauthenticated', 'session_expired']),
  detail: z.string(),
  reason: z.enum(['no_cookie', 'invalid_or_expired_session']),
  login_url: z.string(),
})
export const LoginRefused = z.strictObject({
  error: z.enum(['invalid_credentials', 'not_allowed']),
  detail: z.string(),
  next: optional(z.string()),
})
export const TooManyTries = z.strictObject({
  error: z.literal('too_many_tries'),
  detail: z.string(),
  retry_after_s: whole(),
})

// ---- slots and profiles

export const Death = z.strictObject({
  at: time(),
  upMs: optional(z.number()),
  exitCode: optional(z.int()),
  signal: optional(z.string()),
})
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
  log: z.string(),
})

export const Usage = z.strictObject({
  /** In cores: 0.25 is a quarter of a core. */
  cpu: z.number(),
  /** PSS of the processes, or their resident memory if the kernel does not provide PSS. */
  memory_bytes: whole(),
  processes: whole(),
})

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

export const Profile = z.strictObject({
  name: z.string(),
  description: optional(z.string()),
  /** The one that commands without `-p` mean. */
  active: z.boolean(),
  slot: optional(Slot),
  usage: optional(Usage),
})
export const ProfileDetails = z.extend(Profile, {
  directory: z.string(),
  agent: z.nullable(z.enum(['command', 'openai'])),
  problems: z.array(z.string()),
})
export const Profiles = z.strictObject({ profiles: z.array(Profile), helpers: z.array(Slot) })
export const NewProfile = z.strictObject({
  name: text(200),
  clone: optional(text(200)),
  description: optional(text(500)),
  start: optional(z.boolean()),
})
export const Confirmation = z.strictObject({ confirm: text(200), keep_logs: optional(z.boolean()) })
export const SlotAction = z.strictObject({ action: z.enum(['start', 'stop', 'restart']) })
export const ActionDone = z.strictObject({ changed: z.boolean(), slot: Slot })
export const Deaths = z.strictObject({ deaths: z.array(Death) })

// ---- logs

export const LogQuery = z.strictObject({
  lines: optional(wholeText(1, 5000)),
  before: optional(text(200)),
  search: optional(text(200)),
})
export const LogLine = z.strictObject({ at: optional(time()), text: z.string() })
export const LogPage = z.strictObject({
  lines: z.array(LogLine),
  /** For the previous page; absent: this is the start of the log. */
  before: optional(z.string()),
})
export const LogLines = z.strictObject({ lines: z.array(LogLine) })
export const Missed = z.strictObject({ missed: whole() })

export const BootLog = z.strictObject({
  lines: z.array(
    z.strictObject({
      at: time(),
      profile: z.string(),
      prior_state: z.string(),
      action: z.string(),
      prior_exit: z.string(),
      reason: optional(z.string()),
    }),
  ),
})

// ---- the stream of events

export const SlotChange = z.strictObject({
  type: z.enum(['slot', 'removed']),
  at: time(),
  slot: Slot,
  missed: optional(whole()),
})
/** The supervisor does not answer; `status` comes when it does again. */
export const Away = z.strictObject({})
export const UsageSample = z.strictObject({ slots: z.record(z.string(), Usage) })
export const BoardChange = z.strictObject({ board: z.string() })

// ---- log-in

export const Providers = z.strictObject({
  providers: z.array(z.strictObject({ name: z.string(), kind: z.enum(['password', 'oidc']), label: z.string() })),
})
/** Both null where no log-in is needed. */
export const Me = z.strictObject({
  user: z.nullable(z.string()),
  provider: z.nullable(z.string()),
  expires_at: optional(time()),
})
/** Other parameters of the address are ignored. */
export const LoginQuery = z.object({ provider: optional(text(200)), next: optional(text(4096)) })
export const PasswordLogin = z.strictObject({
  username: text(256),
  password: text(1024),
  next: optional(text(2048)),
})
export const LoggedIn = z.strictObject({ next: z.string() })

// ---- sessions, configuration

export const SessionsQuery = z.strictObject({ profile: optional(text(200)) })
export const Sessions = z.strictObject({
  sessions: z.array(
    z.strictObject({
      profile: z.string(),
      id: z.string(),
      title: optional(z.string()),
      messages: whole(),
      updated_at: time(),
    }),
  ),
})
export const ConfigQuery = z.strictObject({ profile: text(200) })
export const Config = z.strictObject({ text: z.string(), problems: z.array(z.string()), version: z.string() })
export const ConfigText = z.strictObject({ text: text(65_536) })
export const ConfigEdit = z.strictObject({ profile: text(200), text: text(65_536), version: text(200) })
export const ConfigProblems = z.strictObject({ problems: z.array(z.string()) })
export const ConfigWritten = z.strictObject({ problems: z.array(z.string()), version: z.string() })
export const AnyJson = z.record(z.string(), z.unknown())
export const Model = z.strictObject({ model: optional(z.string()), context_window: optional(whole()) })
export const Themes = z.array(z.string())
export const Plugins = z.array(z.string())

// ---- the board

const status = () => z.enum(STATUSES)
/** As in `hermes kanban list --json`. */
export const Task = z.strictObject({
  id: z.string(),
  title: z.string(),
  status: status(),
  assignee: z.nullable(z.string()),
  priority: z.int(),
  body: optional(z.string()),
  created_by: optional(z.string()),
  created_at: optional(time()),
  started_at: optional(time()),
  completed_at: optional(time()),
  scheduled_at: optional(time()),
  workspace_kind: optional(z.string()),
  workspace_path: optional(z.string()),
  claim_lock: optional(z.string()),
  claim_expires_at: optional(time()),
  worker_pid: optional(z.int()),
  heartbeat_at: optional(time()),
  failures: optional(z.int()),
  last_error: optional(z.string()),
  /** In ms. */
  max_runtime: optional(z.number()),
  max_retries: optional(z.int()),
  paused_until: optional(time()),
  result: optional(z.string()),
  idempotency_key: optional(z.string()),
  current_run: optional(z.int()),
})
const Linked = z.strictObject({ id: z.string(), title: z.string(), status: status() })
export const TaskDetails = z.extend(Task, {
  parents: z.array(Linked),
  children: z.array(Linked),
  comments: z.array(z.strictObject({ id: z.int(), author: z.string(), at: time(), body: z.string() })),
  events: z.array(
    z.strictObject({
      id: z.int(),
      task_id: z.string(),
      kind: z.string(),
      at: time(),
      run_id: optional(z.int()),
      payload: AnyJson,
    }),
  ),
  runs: z.array(
    z.strictObject({
      id: z.int(),
      task_id: z.string(),
      profile: z.string(),
      started_at: time(),
      outcome: optional(z.string()),
      ended_at: optional(time()),
      exit_code: optional(z.int()),
      signal: optional(z.string()),
      summary: optional(z.string()),
      error: optional(z.string()),
      slot: optional(z.string()),
    }),
  ),
  /** Why it is not running, in one line. */
  why: optional(z.string()),
})
export const Boards = z.strictObject({
  boards: z.array(z.strictObject({ slug: z.string(), current: z.boolean() })),
})
export const BoardQuery = z.strictObject({ board: optional(text(64)) })
export const TasksQuery = z.strictObject({
  board: optional(text(64)),
  /** One or more, with commas; else all but the archived ones. */
  status: optional(text(200)),
  assignee: optional(text(64)),
  limit: optional(wholeText(1, 1000)),
  /** Part of the title, body or id. */
  search: optional(text(200)),
})
export const Tasks = z.strictObject({ tasks: z.array(Task), counts: z.record(z.string(), whole()) })
export const NewTask = z.strictObject({
  title: text(2000),
  body: optional(text(1_000_000)),
  assignee: optional(z.nullable(text(64))),
  priority: optional(z.int()),
  parents: optional(z.array(text(64)).check(z.maxLength(100))),
  triage: optional(z.boolean()),
})
export const TaskMove = z.strictObject({ to: status(), reason: optional(text(2000)) })
export const TaskAssignment = z.strictObject({ assignee: z.nullable(text(64)) })
export const NewComment = z.strictObject({ text: text(100_000) })
export const Commented = z.strictObject({ task_id: z.string(), commented: z.boolean() })
export const DryRun = z.strictObject({ dry_run: z.literal(true) })

// ---- the terminal

export const TerminalSize = z.strictObject({
  cols: z.int().check(z.minimum(2), z.maximum(1000)),
  rows: z.int().check(z.minimum(2), z.maximum(1000)),
})
/** Maximum of one message; the page splits a longer paste. */
export const MAX_INPUT_CHARS = 1024 * 1024
export const TerminalMessage = z.union([
  z.strictObject({ type: z.literal('input'), data: text(MAX_INPUT_CHARS) }),
  z.extend(TerminalSize, { type: z.literal('resize') }),
])

// ---- the same as types, for server and page

export type ApiError = z.infer<typeof ApiError>
export type Unauthenticated = z.infer<typeof Unauthenticated>
export type Slot = z.infer<typeof Slot>
export type Death = z.infer<typeof Death>
export type Usage = z.infer<typeof Usage>
export type Details = z.infer<typeof Details>
export type Status = z.infer<typeof Status>
export type Profile = z.infer<typeof Profile>
export type ProfileDetails = z.infer<typeof ProfileDetails>
export type Profiles = z.infer<typeof Profiles>
export type NewProfile = z.infer<typeof NewProfile>
export type ActionDone = z.infer<typeof ActionDone>
export type Deaths = z.infer<typeof Deaths>
export type LogLine = z.infer<typeof LogLine>
export type LogPage = z.infer<typeof LogPage>
export type LogLines = z.infer<typeof LogLines>
export type Missed = z.infer<typeof Missed>
export type BootLog = z.infer<typeof BootLog>
export type SlotChange = z.infer<typeof SlotChange>
export type UsageSample = z.infer<typeof UsageSample>
export type BoardChange = z.infer<typeof BoardChange>
export type Providers = z.infer<typeof Providers>
export type Me = z.infer<typeof Me>
export type PasswordLogin = z.infer<typeof PasswordLogin>
export type LoggedIn = z.infer<typeof LoggedIn>
export type Sessions = z.infer<typeof Sessions>
export type Config = z.infer<typeof Config>
export type ConfigWritten = z.infer<typeof ConfigWritten>
export type ConfigProblems = z.infer<typeof ConfigProblems>
export type Task = z.infer<typeof Task>
export type TaskDetails = z.infer<typeof TaskDetails>
export type Boards = z.infer<typeof Boards>
export type Tasks = z.infer<typeof Tasks>
export type NewTask = z.infer<typeof NewTask>
export type TerminalSize = z.infer<typeof TerminalSize>
export type TerminalMessage = z.infer<typeof TerminalMessage>
