/** The kinds of value below `notify` in config.yaml: where notifications go, and which. */
import { isRecord } from '../../system/text/record.ts'
import { DEFAULT_PROFILE, isProfileName } from '../names.ts'
import { commandLine, type Kind, mapSchema, oneOf, type Schema, VARIABLE } from './kinds.ts'

/** Events that can be notified of, with how bad they are. */
export const NOTIFY_EVENTS = {
  parked: 'error',
  backoff: 'warning',
  recovered: 'info',
  task_blocked: 'warning',
  task_done: 'info',
  task_review: 'info',
  disk_full: 'error',
  budget: 'warning',
  node_lost: 'error',
  oom: 'error',
  lines_lost: 'error',
} as const satisfies Record<string, Severity>
export type Severity = 'info' | 'warning' | 'error'
export type NotifyEvent = keyof typeof NOTIFY_EVENTS
const EVENTS = Object.keys(NOTIFY_EVENTS) as readonly NotifyEvent[]

/** Ways that are a request to a web server. */
const POSTS = ['webhook', 'ntfy', 'slack', 'discord', 'gotify'] as const
export type NotifyPost = (typeof POSTS)[number]
const WAYS = [...POSTS, 'mail', 'exec'] as const
type NotifyWay = (typeof WAYS)[number]

/** Where an address comes from; a file is absolute, or relative to the data directory. */
export type AddressSource = { readonly value: string } | { readonly env: string } | { readonly file: string }

interface TargetFacts {
  readonly name: string
  readonly events: readonly NotifyEvent[]
  /** null: of all profiles, and what is of none. */
  readonly profiles: readonly string[] | null
}

/** One entry of `notify`. */
export type NotifyTarget = TargetFacts &
  (
    | { readonly to: 'exec'; readonly command: readonly string[] }
    | {
        readonly to: NotifyPost
        readonly address: AddressSource
        /** Variable with the key of signatures, or the token of ntfy or Gotify. */
        readonly secretEnv: string | null
      }
    | MailTarget
  )

export interface MailTarget extends TargetFacts {
  readonly to: 'mail'
  /** Of the mail server. */
  readonly address: AddressSource
  /** Variable with the password of the user in the address. */
  readonly secretEnv: string | null
  readonly sender: string
  readonly recipients: readonly string[]
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
const named: Kind<string> = {
  expected: 'a name of lower-case letters, digits, - and _, such as ops',
  read: (value) => (typeof value === 'string' && NAME.test(value) ? value : undefined),
  schema: { type: 'string', pattern: NAME.source },
}

const POST_URL = { start: /^https?:\/\//, expected: 'a URL that begins with http:// or https://' }
const MAIL_URL = { start: /^smtps?:\/\/[^/]/, expected: 'a URL that begins with smtp:// or smtps://' }
const urlOf = (to: NotifyWay) => (to === 'mail' ? MAIL_URL : POST_URL)
const isUrl = (text: string, { start }: typeof POST_URL): boolean => start.test(text) && URL.canParse(text)

const address: Kind<string> = {
  expected: `${POST_URL.expected}, or for mail with smtp:// or smtps://`,
  read: (value) =>
    typeof value === 'string' && [POST_URL, MAIL_URL].some((kind) => isUrl(value, kind)) ? value : undefined,
  schema: { type: 'string', pattern: `${POST_URL.start.source}|${MAIL_URL.start.source}` },
  // It is enough to post with.
  secret: true,
}

/** @returns the problem of a text that was read from a variable or a file to be the address of a target */
export function notifyUrlProblem(text: string, to: NotifyWay): string | undefined {
  const kind = urlOf(to)
  return isUrl(text, kind) ? undefined : `has no ${kind.expected.slice('a '.length)}`
}

const variable: Kind<string> = {
  expected: 'the name of a variable, such as OPS_URL',
  read: (value) => (typeof value === 'string' && VARIABLE.test(value) ? value : undefined),
  schema: { type: 'string', pattern: VARIABLE.source },
  // The secret itself may have been written in its place.
  secret: true,
}

const path: Kind<string> = {
  expected: 'a path',
  read: (value) => (typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined),
  schema: { type: 'string', minLength: 1 },
  secret: true,
}

const events: Kind<readonly NotifyEvent[]> = {
  expected: `a list of ${EVENTS.slice(0, -1).join(', ')} and ${EVENTS.at(-1)}`,
  read: (value) => listOf(value, (one) => EVENTS.find((event) => event === one)),
  schema: { type: 'array', minItems: 1, items: { enum: EVENTS } },
}

const profiles: Kind<readonly string[]> = {
  expected: 'a list of profiles, such as [coder, writer]',
  read: (value) => listOf(value, (one) => (isProfile(one) ? one : undefined)),
  schema: { type: 'array', minItems: 1, items: { type: 'string' } },
}
const isProfile = (value: unknown): value is string =>
  typeof value === 'string' && (value === DEFAULT_PROFILE || isProfileName(value))

/** No spaces, quotes, brackets or lists: such an address is a header or a second recipient. */
const MAIL = /^[^\s<>()[\]\\,;:"@]+@[^\s<>()[\]\\,;:"@]+$/
const isMail = (value: unknown): value is string => typeof value === 'string' && MAIL.test(value)
const sender: Kind<string> = {
  expected: 'a mail address such as hermes@example.com',
  read: (value) => (isMail(value) ? value : undefined),
  schema: { type: 'string', pattern: MAIL.source },
}
const recipients: Kind<readonly string[]> = {
  expected: 'a mail address such as ops@example.com, or a list of them',
  read: (value) => listOf(isMail(value) ? [value] : value, (one) => (isMail(one) ? one : undefined)),
  schema: { oneOf: [sender.schema, { type: 'array', minItems: 1, items: sender.schema }] },
}

function listOf<T>(value: unknown, read: (one: unknown) => T | undefined): readonly T[] | undefined {
  const all = Array.isArray(value) ? value.map(read) : []
  return all.length > 0 && all.every((one) => one !== undefined) ? (all as readonly T[]) : undefined
}

const FIELDS: Readonly<Record<string, Kind<unknown>>> = {
  name: named,
  to: oneOf(...WAYS),
  url: address,
  url_env: variable,
  url_file: path,
  secret_env: variable,
  mail_from: sender,
  mail_to: recipients,
  command: commandLine('[sh, -c, "exec my-notifier"]'),
  events,
  profiles,
}
const ADDRESSES = ['url', 'url_env', 'url_file'] as const
const MAIL_FIELDS = ['mail_from', 'mail_to'] as const
/** Ways with a key, a token or a password. */
const WITH_SECRET: readonly NotifyWay[] = ['webhook', 'ntfy', 'gotify', 'mail']

type Item = Readonly<Record<string, unknown>>

/** @param item whose fields are right one by one @returns the target, or the problem */
function targetOf(item: Item): NotifyTarget | string {
  const { name, to } = item as { readonly name?: string; readonly to?: NotifyWay }
  if (name === undefined) return 'name is missing'
  if (to === undefined) return `to is missing: ${WAYS.join(', ')}`
  const facts: TargetFacts = {
    name,
    events: (item.events as readonly NotifyEvent[] | undefined) ?? EVENTS,
    profiles: (item.profiles as readonly string[] | undefined) ?? null,
  }
  const given = ADDRESSES.filter((field) => item[field] !== undefined)
  const mail = MAIL_FIELDS.filter((field) => item[field] !== undefined)
  if (to === 'exec') {
    const unused = [...given, ...mail, ...('secret_env' in item ? ['secret_env'] : [])]
    if (unused.length > 0) return `exec does not use ${unused.join(', ')}`
    if (item.command === undefined) return 'exec needs command, a list of a program and its arguments'
    return { ...facts, to, command: item.command as readonly string[] }
  }
  if (item.command !== undefined) return `${to} does not use command`
  if (given.length !== 1) return `${to} needs one of ${ADDRESSES.join(', ')}`
  if (item.secret_env !== undefined && !WITH_SECRET.includes(to)) return `${to} does not use secret_env`
  if (to === 'gotify' && item.secret_env === undefined) return 'gotify needs secret_env, a variable with its token'
  if (to !== 'mail' && mail.length > 0) return `${to} does not use ${mail.join(', ')}`
  if (to === 'mail' && mail.length < MAIL_FIELDS.length) return 'mail needs mail_from and mail_to, mail addresses'
  if (item.url !== undefined && notifyUrlProblem(item.url as string, to) !== undefined)
    return `${to} needs ${urlOf(to).expected}`
  const source = {
    ...(item.url !== undefined && { value: item.url as string }),
    ...(item.url_env !== undefined && { env: item.url_env as string }),
    ...(item.url_file !== undefined && { file: item.url_file as string }),
  } as AddressSource
  const sent = { ...facts, address: source, secretEnv: (item.secret_env as string | undefined) ?? null }
  if (to !== 'mail') return { ...sent, to }
  return { ...sent, to, sender: item.mail_from as string, recipients: item.mail_to as readonly string[] }
}

/** @param before the targets above it in the file */
function checkItem(item: Item, before: readonly NotifyTarget[]): NotifyTarget | string {
  const target = targetOf(item)
  if (typeof target === 'string' || !before.some(({ name }) => name === target.name)) return target
  return `there is another target with the name ${target.name}`
}

export const notify: Kind<readonly NotifyTarget[]> = {
  expected: 'a list of targets such as [{name: ops, to: webhook, url_env: OPS_URL, events: [parked]}]',
  read(value) {
    if (!Array.isArray(value)) return undefined
    const found: NotifyTarget[] = []
    for (const one of value) {
      const item = isRecord(one) ? readFields(one) : undefined
      const target = item === undefined ? 'it is not a map' : checkItem(item, found)
      if (typeof target === 'string') return undefined
      found.push(target)
    }
    return found
  },
  schema: { type: 'array', items: itemSchema() },
  items: { fields: FIELDS, check: (item, before) => checkItem(item, before as readonly NotifyTarget[]) },
  converted: true,
  secret: true,
  shown: (targets) => (targets as readonly NotifyTarget[]).map(shownTarget),
}

function readFields(value: Record<string, unknown>): Item | undefined {
  const read: Record<string, unknown> = {}
  for (const [name, one] of Object.entries(value)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name]?.read(one) : undefined
    if (field === undefined) return undefined
    read[name] = field
  }
  return read
}

function itemSchema(): Schema {
  const properties = Object.fromEntries(Object.entries(FIELDS).map(([name, { schema }]) => [name, schema]))
  return { ...mapSchema(properties, 'name', 'to'), oneOf: WAYS.map(waySchema) }
}

/** As {@link targetOf} judges it. */
function waySchema(to: NotifyWay): Schema {
  const without = (...fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, false]))
  if (to === 'exec')
    return {
      properties: { to: { const: to }, ...without(...ADDRESSES, ...MAIL_FIELDS, 'secret_env') },
      required: ['command'],
    }
  return {
    properties: {
      to: { const: to },
      url: { pattern: urlOf(to).start.source },
      ...without('command', ...(to === 'mail' ? [] : MAIL_FIELDS), ...(WITH_SECRET.includes(to) ? [] : ['secret_env'])),
    },
    required: [...(to === 'mail' ? MAIL_FIELDS : []), ...(to === 'gotify' ? ['secret_env'] : [])],
    oneOf: ADDRESSES.map((field) => ({ required: [field] })),
  }
}

/** A target as the file has it, with an address that is not shown. */
export function shownTarget(target: NotifyTarget): Readonly<Record<string, unknown>> {
  const { name, to, events: some, profiles: of } = target
  return {
    name,
    to,
    ...(to === 'exec' ? { command: target.command } : shownAddress(target.address)),
    ...(to !== 'exec' && target.secretEnv !== null && { secret_env: target.secretEnv }),
    ...(to === 'mail' && { mail_from: target.sender, mail_to: target.recipients }),
    events: some,
    ...(of !== null && { profiles: of }),
  }
}

const shownAddress = (source: AddressSource): Readonly<Record<string, string>> =>
  'value' in source ? { url: '****' } : 'env' in source ? { url_env: source.env } : { url_file: source.file }
