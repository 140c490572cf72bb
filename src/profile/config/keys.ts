/**
 * Every key of config.yaml: the one source of types, defaults, the seeded file, the schema and the table in
 * docs/configuration.md.
 */
import { type ForwardTarget, forward } from './kinds/forward-kinds.ts'
import {
  type Announcement,
  budget,
  capacities,
  commandLine,
  duration as durationKind,
  flag,
  giveUpAfter,
  type Kind,
  oneOf,
  only,
  openAi,
  poolName,
  ready,
  secret,
  signal,
  text,
  variables,
  whole,
  wholeOrText,
} from './kinds/kinds.ts'
import { type NotifyTarget, notify } from './kinds/notify-kinds.ts'
import { cron, dependencies, type Secrets, secrets } from './kinds/program-kinds.ts'
import { PROGRAM_KEYS, type ProgramKeyName, type ProgramValue } from './program-keys.ts'

export type Ready = { readonly by: 'auto' } | Announcement

export interface Key<T> {
  readonly kind: Kind<unknown>
  /** The value if the file does not set it; durations in ms. `null`: unset. */
  readonly value: T
  /** The same value as written in the file. */
  readonly written: string
  readonly help: string
  /** Read only from the default profile's file. */
  readonly volumeWide?: true
}

const key = <T>(kind: Kind<T>, value: T, written: string, help: string): Key<T> => ({ kind, value, written, help })
const optional = <T>(kind: Kind<T>, help: string): Key<T | null> => key<T | null>(kind, null, 'null', help)
const shared = <T>(of: Key<T>): Key<T> => ({ ...of, volumeWide: true })
const duration = (value: number, written: string, help: string, minMs = 0): Key<number> =>
  key(durationKind(minMs), value, written, help)
const variable = (name: string, kind: Kind<string | number | boolean>): Key<string | number | boolean | null> =>
  shared(
    optional(
      kind,
      kind.secret
        ? `in a checkout like ${name}, which takes precedence; the image accepts only the variable`
        : `like ${name}; the variable takes precedence`,
    ),
  )

const argv = commandLine('[sh, -c, "exec my-program"]')
/** A rotation takes as long for a small file as for a large one: with 4 KB a flood kept everybody's logs waiting. */
const LEAST_LOG_BYTES = 256 * 1024

type GatewayKeys = { readonly [K in ProgramKeyName as `gateway.${K}`]: Key<ProgramValue<K> | null> }

/** The keys that a gateway and a service have in common. */
function gatewayKeys(): GatewayKeys {
  const entries = Object.entries(PROGRAM_KEYS).map(([name, { kind, help }]) => [
    `gateway.${name}`,
    optional<unknown>(kind, help),
  ])
  return Object.fromEntries(entries) as GatewayKeys
}

export const CONFIG_KEYS = {
  description: key(text, '', '""', 'description shown in lists'),
  secrets: key<Secrets>(
    secrets,
    {},
    '{}',
    'variables of its gateway and its workers whose values are fetched at each start, from a file or by a command',
  ),
  'gateway.command': optional(
    argv,
    "command that the gateway runs in the profile's directory, as a list; null = the built-in gateway",
  ),
  'gateway.env': key<Readonly<Record<string, string>>>(variables, {}, '{}', 'variables added to its environment'),
  'gateway.restart': key(
    oneOf('always', 'on-failure', 'never'),
    'always',
    'always',
    'when to restart it: always, on-failure or never',
  ),
  'gateway.restart_delay.first': duration(1000, '1s', 'delay before a restart after the first death in a row', 1),
  'gateway.restart_delay.max': duration(60_000, '60s', 'maximum delay; the delay doubles with each death', 1),
  'gateway.forget_after': duration(5_000, '5s', 'time up after which earlier deaths are forgotten'),
  'gateway.ready_after': duration(
    1000,
    '1s',
    'time alive after which it counts as ready, if it does not announce readiness',
  ),
  'gateway.kill_leftovers': key(flag, true, 'true', 'true: kill the rest of its process group after a death'),
  'gateway.give_up_after': optional(
    giveUpAfter,
    'park it after this many deaths within this time, such as {deaths: 5, within: 1m}; null = never give up',
  ),
  'gateway.ready': key<Ready>(
    ready('auto'),
    { by: 'auto' },
    'auto',
    'how it announces readiness: auto, {fd: N} (it writes a newline there), {log: regex} (it prints such a line), {http: url} (it answers below 400), {tcp: port} (it accepts a connection) or {command: [program, …]} (the command exits with 0)',
  ),
  'gateway.start_timeout': duration(
    60_000,
    '60s',
    'time limit from start to ready, if readiness is announced; 0 = no limit',
  ),
  'gateway.stop_timeout': duration(10_000, '10s', 'time from the stop signal to KILL'),
  'gateway.stop_signal': key(signal, 'TERM', 'TERM', 'signal that stops it'),
  'gateway.essential': key(flag, false, 'false', 'true: stop the container when it has ended for good or is parked'),
  'gateway.depends_on': optional(
    dependencies,
    'services of the image, or gateways such as gateway-writer, that it waits for before each start by the boot or a command',
  ),
  'gateway.schedule': optional(cron, 'times at which it runs; runs never overlap'),
  'gateway.user': optional(
    only('own'),
    'own: the profile runs as a user of its own, walled off from the others; the first start records it',
  ),
  ...gatewayKeys(),
  'agent.command': optional(
    argv,
    'program that answers, as a list; the prompt replaces {prompt}, or is passed on stdin; a task also fills in {task} and {context}',
  ),
  'agent.openai': optional(
    openAi,
    'OpenAI-compatible endpoint: {base_url: https://…/v1, model: …, api_key_env: OPENAI_API_KEY}',
  ),
  'agent.pool': optional(
    poolName,
    'pool of the profile: kanban.pools says how many tasks may run at once on all profiles of a pool',
  ),
  'agent.meter': key(
    flag,
    false,
    'false',
    'true: its requests to agent.openai go through the meter, which keeps the key and counts tokens; so they do with a budget',
  ),
  budget: optional(
    budget,
    'limits of what it may spend on agent.openai, such as {per: day, usd: 5, warn_at: 0.8, task_usd: 1}; past one, its requests are refused',
  ),
  'logging.max_bytes': key(
    { ...whole(4096, 1_000_000_000), least: LEAST_LOG_BYTES },
    1_000_000,
    '1000000',
    "size at which the gateway's `current` is rotated; values below 262144 are raised to it, with a warning",
  ),
  'logging.archives': key(whole(0, 10_000), 10, '10', 'number of rotated files to keep'),
  'kanban.default_assignee': shared(key(text, '', '""', 'profile that gets tasks without an assignee')),
  'kanban.max_in_progress_per_profile': shared(
    optional(wholeOrText(1, 1_000_000), 'maximum number of running tasks per profile; null = no limit'),
  ),
  'kanban.max_in_progress': shared(
    optional(whole(1, 1_000_000), 'maximum number of running tasks on the board; null = no limit'),
  ),
  'kanban.pools': shared(
    key<Readonly<Record<string, number>>>(
      capacities,
      {},
      '{}',
      'maximum number of running tasks on all profiles of a pool (agent.pool), such as {gpu: 2}',
    ),
  ),
  'kanban.failure_limit': shared(key(whole(1, 1_000_000), 2, '2', 'number of failures after which a task is blocked')),
  'kanban.dispatch_in_gateway': shared(key(flag, true, 'true', 'true: run the dispatcher next to the gateways')),
  'kanban.dispatch_interval_seconds': shared(key(whole(1, 86_400), 60, '60', 'interval between two ticks, in seconds')),
  'kanban.dispatch_stale_timeout_seconds': shared(
    key(
      whole(1, 31_536_000),
      14_400,
      '14400',
      'age in seconds at which a run without a heartbeat in the last hour is taken back',
    ),
  ),
  'kanban.node_lease': shared(
    duration(
      30_000,
      '30s',
      'with a database: time after which other nodes take over from this one if it is not heard of; 6s or more',
    ),
  ),
  'kanban.labels': shared(
    key(
      text,
      '',
      '""',
      'labels of this node, such as gpu,region=eu, for tasks with --needs; HERMES_NODE_LABELS takes precedence',
    ),
  ),
  'kanban.require_review': shared(key(flag, false, 'false', 'true: a finished task waits for a review')),
  'kanban.context_max_bytes': shared(
    key(
      whole(4096, 1_000_000),
      65_536,
      '65536',
      'maximum size of a prompt in bytes; title and body stay whole, the oldest of what is handed over goes first',
    ),
  ),
  'kanban.attachment_max_bytes': shared(
    key(whole(1, 104_857_600), 10_485_760, '10485760', 'maximum size of a file that is attached to a task, in bytes'),
  ),
  notify: shared(
    key<readonly NotifyTarget[]>(
      notify,
      [],
      '[]',
      'where notifications go: a webhook, ntfy, Slack, Discord, Gotify or a command, and of which events and profiles',
    ),
  ),
  forward: shared(
    key<readonly ForwardTarget[]>(
      forward,
      [],
      '[]',
      'where the lines of logs are sent as well: a syslog server, Loki or an OTLP endpoint, and those of which profiles',
    ),
  ),
  'dashboard.enabled': variable('HERMES_DASHBOARD', flag),
  'dashboard.host': variable('HERMES_DASHBOARD_HOST', text),
  'dashboard.port': variable('HERMES_DASHBOARD_PORT', whole(1, 65_535)),
  'dashboard.tui': variable('HERMES_DASHBOARD_TUI', flag),
  'dashboard.oauth_client_id': variable('HERMES_DASHBOARD_OAUTH_CLIENT_ID', text),
  'dashboard.oauth_client_secret': variable('HERMES_DASHBOARD_OAUTH_CLIENT_SECRET', secret),
  'dashboard.oidc_issuer': variable('HERMES_DASHBOARD_OIDC_ISSUER', text),
  'dashboard.oidc_name': variable('HERMES_DASHBOARD_OIDC_NAME', text),
  'dashboard.oidc_scopes': variable('HERMES_DASHBOARD_OIDC_SCOPES', text),
  'dashboard.basic_auth_username': variable('HERMES_DASHBOARD_BASIC_AUTH_USERNAME', text),
  'dashboard.basic_auth_password': variable('HERMES_DASHBOARD_BASIC_AUTH_PASSWORD', secret),
  'dashboard.basic_auth_password_hash': variable('HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH', secret),
  'dashboard.allowed_users': variable('HERMES_DASHBOARD_ALLOWED_USERS', text),
  'dashboard.allow_unverified_email': variable('HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL', flag),
  'dashboard.public_url': variable('HERMES_DASHBOARD_PUBLIC_URL', text),
  'dashboard.trusted_proxies': variable('HERMES_DASHBOARD_TRUSTED_PROXIES', text),
  'dashboard.public_api': variable('HERMES_DASHBOARD_PUBLIC_API', flag),
} as const

/** Something wrong in a config.yaml; the value in force is the default. */
export interface ConfigProblem {
  readonly file: string
  /** 1 for the first line; absent when the problem has no place in the file. */
  readonly line?: number
  /** `gateway.restart`; empty when it is about the file. */
  readonly key: string
  /** The expected value, and the value found. */
  readonly message: string
  /** The value found, if the key is known. */
  readonly value?: unknown
}

export type ConfigKey = keyof typeof CONFIG_KEYS
/** The value in force of every key. */
export type ConfigValues = { readonly [K in ConfigKey]: (typeof CONFIG_KEYS)[K]['value'] }

export const isConfigKey = (key: string): key is ConfigKey => Object.hasOwn(CONFIG_KEYS, key)

export const configKeys = (): readonly ConfigKey[] => Object.keys(CONFIG_KEYS) as ConfigKey[]

export const defaultValues = (): ConfigValues =>
  Object.fromEntries(configKeys().map((name) => [name, CONFIG_KEYS[name].value])) as unknown as ConfigValues
