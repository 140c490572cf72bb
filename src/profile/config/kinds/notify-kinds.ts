/** The kinds of value below `notify` in config.yaml: where notifications go, and which. */
import { commandLine, type Kind, mapSchema, oneOf, type Schema } from './kinds.ts'
import {
  ADDRESSES,
  type AddressSource,
  type Fields,
  fieldSchemas,
  type Item,
  listOf,
  named,
  path,
  profiles,
  readTargets,
  shownSource,
  sourceOf,
  uniquely,
  variable,
} from './target-fields.ts'

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

const events: Kind<readonly NotifyEvent[]> = {
  expected: `a list of ${EVENTS.slice(0, -1).join(', ')} and ${EVENTS.at(-1)}`,
  read: (value) => listOf(value, (one) => EVENTS.find((event) => event === one)),
  schema: { type: 'array', minItems: 1, items: { enum: EVENTS } },
}

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

const FIELDS: Fields = {
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
const MAIL_FIELDS = ['mail_from', 'mail_to'] as const
/** Ways with a key, a token or a password. */
const WITH_SECRET: readonly NotifyWay[] = ['webhook', 'ntfy', 'gotify', 'mail']

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
  const sent = { ...facts, address: sourceOf(item), secretEnv: (item.secret_env as string | undefined) ?? null }
  if (to !== 'mail') return { ...sent, to }
  return { ...sent, to, sender: item.mail_from as string, recipients: item.mail_to as readonly string[] }
}

const judge = uniquely(targetOf)

export const notify: Kind<readonly NotifyTarget[]> = {
  expected: 'a list of targets such as [{name: ops, to: webhook, url_env: OPS_URL, events: [parked]}]',
  read: (value) => readTargets(value, FIELDS, judge),
  schema: { type: 'array', items: itemSchema() },
  items: { fields: FIELDS, check: (item, before) => judge(item, before as readonly NotifyTarget[]) },
  converted: true,
  secret: true,
  shown: (targets) => (targets as readonly NotifyTarget[]).map(shownTarget),
}

function itemSchema(): Schema {
  return { ...mapSchema(fieldSchemas(FIELDS), 'name', 'to'), oneOf: WAYS.map(waySchema) }
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
    ...(to === 'exec' ? { command: target.command } : shownSource(target.address)),
    ...(to !== 'exec' && target.secretEnv !== null && { secret_env: target.secretEnv }),
    ...(to === 'mail' && { mail_from: target.sender, mail_to: target.recipients }),
    events: some,
    ...(of !== null && { profiles: of }),
  }
}
