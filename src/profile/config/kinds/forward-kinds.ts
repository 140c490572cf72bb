/** The kinds of value below `forward` in config.yaml: where the lines of logs go. */
import { isRecord } from '../../../system/text/record.ts'
import { type Kind, mapSchema, oneOf, type Schema } from './kinds.ts'
import {
  ADDRESSES,
  type AddressSource,
  type Fields,
  fieldSchemas,
  type Item,
  named,
  path,
  profiles,
  readTargets,
  shownSource,
  sourceOf,
  uniquely,
  variable,
} from './target-fields.ts'

/** Ways that are a request to a web server. */
const POSTS = ['loki', 'otlp'] as const
export type ForwardPost = (typeof POSTS)[number]
const WAYS = ['syslog', ...POSTS] as const
type ForwardWay = (typeof WAYS)[number]

/** Facilities of RFC 5424 that programs like ours may use, with their codes. */
export const FACILITIES = {
  user: 1,
  daemon: 3,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const
export type Facility = keyof typeof FACILITIES

interface TargetFacts {
  readonly name: string
  readonly address: AddressSource
  /** null: of everything that has a log. */
  readonly profiles: readonly string[] | null
}

export interface SyslogTarget extends TargetFacts {
  readonly to: 'syslog'
  readonly facility: Facility
}

export interface PostTarget extends TargetFacts {
  readonly to: ForwardPost
  readonly labels: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** Variable with a bearer token. */
  readonly tokenEnv: string | null
}

/** One entry of `forward`. */
export type ForwardTarget = SyslogTarget | PostTarget

const POST_URL = { start: /^https?:\/\//, expected: 'a URL that begins with http:// or https://' }
const SYSLOG_URL = { start: /^(tcp|udp):\/\/[^/]/, expected: 'a URL such as tcp://HOST:PORT or udp://HOST:PORT' }
const urlOf = (to: ForwardWay) => (to === 'syslog' ? SYSLOG_URL : POST_URL)
const isUrl = (text: string, { start }: typeof POST_URL): boolean => start.test(text) && URL.canParse(text)

const address: Kind<string> = {
  expected: `${POST_URL.expected}, or for syslog with tcp:// or udp://`,
  read: (value) =>
    typeof value === 'string' && [POST_URL, SYSLOG_URL].some((kind) => isUrl(value, kind)) ? value : undefined,
  schema: { type: 'string', pattern: `${POST_URL.start.source}|${SYSLOG_URL.start.source}` },
  // It may have a password in it.
  secret: true,
}

/** @returns the problem of a text that was read from a variable or a file to be the address of a target */
export function forwardUrlProblem(text: string, to: ForwardWay): string | undefined {
  const kind = urlOf(to)
  return isUrl(text, kind) ? undefined : `has no ${kind.expected.slice('a '.length)}`
}

/** Names as Loki takes them; the four of ours cannot be replaced. */
const LABEL = /^(?!(?:job|slot|profile|node)$)[a-zA-Z_][a-zA-Z0-9_]*$/
const LONGEST_LABEL = 1024
const labels: Kind<Readonly<Record<string, string>>> = {
  expected: 'names and texts such as {env: prod}; job, slot, profile and node are set already',
  read: (value) => textsOf(value, (name, text) => LABEL.test(name) && text !== '' && text.length <= LONGEST_LABEL),
  schema: textsSchema(LABEL.source, { type: 'string', minLength: 1, maxLength: LONGEST_LABEL }),
}

/** A token (RFC 9110, 5.6.2). Those that the request needs cannot be replaced. */
const HEADER = /^(?!(?:content-(?:type|length|encoding)|host|connection|transfer-encoding)$)[!#$%&'*+.^_`|~0-9a-z-]+$/i
const HEADER_TEXT = /^[ -~]+$/
const headers: Kind<Readonly<Record<string, string>>> = {
  expected: 'names and texts such as {X-Scope-OrgID: team}; token_env has a token',
  read: (value) => textsOf(value, (name, text) => HEADER.test(name) && HEADER_TEXT.test(text)),
  schema: textsSchema("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", { type: 'string', pattern: HEADER_TEXT.source }),
  secret: true,
}

function textsOf(
  value: unknown,
  isSound: (name: string, text: string) => boolean,
): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined
  const entries = Object.entries(value)
  const sound = entries.every(([name, text]) => typeof text === 'string' && isSound(name, text))
  return sound ? (value as Readonly<Record<string, string>>) : undefined
}

function textsSchema(name: string, text: Schema): Schema {
  return { type: 'object', propertyNames: { pattern: name }, additionalProperties: text }
}

const FIELDS: Fields = {
  name: named,
  to: oneOf(...WAYS),
  url: address,
  url_env: variable,
  url_file: path,
  token_env: variable,
  headers,
  labels,
  facility: oneOf(...(Object.keys(FACILITIES) as Facility[])),
  profiles,
}
const OF_POSTS = ['token_env', 'headers', 'labels'] as const
const OF_SYSLOG = ['facility'] as const

/** @param item whose fields are right one by one @returns the target, or the problem */
function targetOf(item: Item): ForwardTarget | string {
  const { name, to } = item as { readonly name?: string; readonly to?: ForwardWay }
  if (name === undefined) return 'name is missing'
  if (to === undefined) return `to is missing: ${WAYS.join(', ')}`
  if (ADDRESSES.filter((field) => item[field] !== undefined).length !== 1)
    return `${to} needs one of ${ADDRESSES.join(', ')}`
  if (item.url !== undefined && forwardUrlProblem(item.url as string, to) !== undefined)
    return `${to} needs ${urlOf(to).expected}`
  const unused = (to === 'syslog' ? OF_POSTS : OF_SYSLOG).filter((field) => item[field] !== undefined)
  if (unused.length > 0) return `${to} does not use ${unused.join(', ')}`
  const facts: TargetFacts = {
    name,
    address: sourceOf(item),
    profiles: (item.profiles as readonly string[] | undefined) ?? null,
  }
  if (to === 'syslog') return { ...facts, to, facility: (item.facility as Facility | undefined) ?? 'daemon' }
  return {
    ...facts,
    to,
    labels: (item.labels as PostTarget['labels'] | undefined) ?? {},
    headers: (item.headers as PostTarget['headers'] | undefined) ?? {},
    tokenEnv: (item.token_env as string | undefined) ?? null,
  }
}

const judge = uniquely(targetOf)

export const forward: Kind<readonly ForwardTarget[]> = {
  expected: 'a list of targets such as [{name: central, to: loki, url: "http://loki:3100"}]',
  read: (value) => readTargets(value, FIELDS, judge),
  schema: { type: 'array', items: itemSchema() },
  items: { fields: FIELDS, check: (item, before) => judge(item, before as readonly ForwardTarget[]) },
  converted: true,
  secret: true,
  shown: (targets) => (targets as readonly ForwardTarget[]).map(shownForward),
}

function itemSchema(): Schema {
  return { ...mapSchema(fieldSchemas(FIELDS), 'name', 'to'), oneOf: WAYS.map(waySchema) }
}

/** As {@link targetOf} judges it. */
function waySchema(to: ForwardWay): Schema {
  const unused = to === 'syslog' ? OF_POSTS : OF_SYSLOG
  return {
    properties: {
      to: { const: to },
      url: { pattern: urlOf(to).start.source },
      ...Object.fromEntries(unused.map((field) => [field, false])),
    },
    oneOf: ADDRESSES.map((field) => ({ required: [field] })),
  }
}

/** A target as the file has it, with an address and headers that are not shown. */
export function shownForward(target: ForwardTarget): Readonly<Record<string, unknown>> {
  const { name, to, address: source, profiles: of } = target
  return {
    name,
    to,
    ...shownSource(source),
    ...(target.to === 'syslog' ? { facility: target.facility } : shownPost(target)),
    ...(of !== null && { profiles: of }),
  }
}

const shownPost = ({ labels: own, headers: sent, tokenEnv }: PostTarget): Readonly<Record<string, unknown>> => ({
  ...(tokenEnv !== null && { token_env: tokenEnv }),
  ...(Object.keys(sent).length > 0 && {
    headers: Object.fromEntries(Object.keys(sent).map((name) => [name, '****'])),
  }),
  ...(Object.keys(own).length > 0 && { labels: own }),
})
