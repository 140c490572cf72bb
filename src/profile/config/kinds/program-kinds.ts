/** The kinds of value of the keys in program-keys.ts. */

import { createRequire } from 'node:module'
import { normalize } from 'node:path'
import { isExportable } from '../../../system/programs/sh-environment.ts'
import { isRecord } from '../../../system/text/record.ts'
import {
  CHECK_SCHEMAS,
  CHECKS,
  type Check,
  COMMAND_LINE,
  duration,
  hasOnly,
  type Kind,
  mapSchema,
  readCheck,
  readCommandLine,
  VARIABLE,
  whole,
} from './kinds.ts'

// ---- when a running program has to be replaced ----

/** A check that is repeated while the program is up. */
export interface Probe {
  readonly check: Check
  readonly everyMs: number
  readonly timeoutMs: number
  /** Number of failures in a row after which it is restarted. */
  readonly failures: number
}

/** How a running program shows that it is alive: it answers, it prints lines, or both. */
export type Liveness =
  | { readonly probe: Probe; readonly silenceMs?: number }
  /** Restarted when it has printed no line for so long. */
  | { readonly probe?: undefined; readonly silenceMs: number }

const SPAN = duration(1)
const ASKED_AT_MOST = whole(1, 100)
const PROBE_KEYS = { every: SPAN.schema, timeout: SPAN.schema, failures: ASKED_AT_MOST.schema }
const LIVENESS_KEYS = { ...CHECK_SCHEMAS, ...PROBE_KEYS, silence: SPAN.schema }
const CHECK_NAMES = Object.keys(CHECK_SCHEMAS)

export const liveness: Kind<Liveness> = {
  expected: `${CHECKS}, with every, timeout and failures; {silence: a duration}; or both in one`,
  read(value) {
    if (!isRecord(value) || !hasOnly(value, ...Object.keys(LIVENESS_KEYS))) return undefined
    const { silence, ...asked } = value
    const silenceMs = silence === undefined ? undefined : SPAN.read(silence)
    if (silence !== undefined && silenceMs === undefined) return undefined
    if (silenceMs !== undefined && Object.keys(asked).length === 0) return { silenceMs }
    const probe = readProbe(asked)
    return probe && { probe, ...(silenceMs !== undefined && { silenceMs }) }
  },
  schema: {
    ...mapSchema(LIVENESS_KEYS),
    oneOf: [
      ...CHECK_NAMES.map((name) => ({ required: [name] })),
      { required: ['silence'], propertyNames: { const: 'silence' } },
    ],
  },
}

function readProbe(value: Record<string, unknown>): Probe | undefined {
  if (CHECK_NAMES.filter((name) => value[name] !== undefined).length !== 1) return undefined
  const check = readCheck(value)
  const everyMs = SPAN.read(value.every ?? '10s')
  const timeoutMs = SPAN.read(value.timeout ?? '2s')
  const failures = ASKED_AT_MOST.read(value.failures ?? 3)
  if (check === undefined || everyMs === undefined || timeoutMs === undefined || failures === undefined)
    return undefined
  return { check, everyMs, timeoutMs, failures }
}

/** Not the directory itself, in which Hermes writes, nor one outside it by way of `..`. */
const NOT_BELOW = /^(\.{0,2}\/*|\.\.\/.*)$/
export const watchedPaths: Kind<readonly string[]> = {
  expected: 'a list of files and directories such as [config.yaml, prompts]',
  read(value) {
    if (!Array.isArray(value) || value.length === 0) return undefined
    const isPath = (one: unknown): one is string =>
      typeof one === 'string' && one !== '' && !one.includes('\0') && !NOT_BELOW.test(normalize(one))
    return value.every(isPath) ? value.map((one) => normalize(one)) : undefined
  },
  schema: { type: 'array', minItems: 1, items: { type: 'string', not: { pattern: NOT_BELOW.source } } },
}

// ---- when it starts ----

export const cron: Kind<string> = {
  expected: 'five or six cron fields such as "*/5 * * * *"',
  read: (value) => (typeof value === 'string' && cronReader().isCron(value) ? value : undefined),
  schema: { type: 'string' },
}

/** Loaded for a file that has a schedule; as a plain import it would cost every program that reads settings. */
function cronReader(): typeof import('../../../system/text/cron.ts') {
  type Reader = typeof import('../../../system/text/cron.ts')
  if (typeof require === 'function') return require('../../../system/text/cron.ts') as Reader
  return createRequire(import.meta.url)('../../../system/text/cron.ts') as Reader
}

const UNTIL = ['ready', 'started', 'completed'] as const
export interface Dependency {
  readonly name: string
  /**
   * `ready`: up, or for a oneshot done. `started`: its process is there. `completed`: done, or it has ended with 0 and
   * is not started again.
   */
  readonly until: (typeof UNTIL)[number]
}

export const dependencies: Kind<readonly Dependency[]> = {
  expected: 'a list of names, or names with ready, started or completed such as {redis: ready}',
  read(value) {
    if (Array.isArray(value)) {
      const isNames = value.every((name) => typeof name === 'string')
      return isNames ? value.map((name) => ({ name, until: 'ready' })) : undefined
    }
    if (!isRecord(value)) return undefined
    const all = Object.entries(value).map(([name, until]) => ({ name, until: UNTIL.find((one) => one === until) }))
    return all.every((one): one is Dependency => one.until !== undefined) ? all : undefined
  },
  schema: {
    anyOf: [
      { type: 'array', items: { type: 'string' } },
      { type: 'object', additionalProperties: { enum: UNTIL } },
    ],
  },
}

// ---- what it may use of the machine ----

const SIZE = /^(\d{1,15})([KMG]?)$/
const SIZES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
/** @param least bytes */
export const size = (least: 0 | 1): Kind<number> => ({
  expected: 'bytes, or 512K, 256M, 1G',
  read(value) {
    const [, number, unit = ''] = SIZE.exec(String(value)) ?? []
    const bytes = Number(number) * (SIZES[unit] ?? 0)
    return bytes >= least && bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined
  },
  schema: { type: ['string', 'integer'], pattern: SIZE.source, minimum: least },
})

/** The limits of a process (setrlimit(2)) that can be set: counts, bytes, or ms for `cpu`; null: unlimited. */
export type Rlimits = { readonly [K in keyof typeof RLIMITS]?: number | null }

const UNLIMITED = 'unlimited'
const orUnlimited = (kind: Kind<number>): Kind<number | null> => ({
  expected: kind.expected,
  read: (value) => (value === UNLIMITED ? null : kind.read(value)),
  schema: { anyOf: [{ const: UNLIMITED }, kind.schema] },
})
const count = orUnlimited(whole(0, 2 ** 31))
const bytes = orUnlimited(size(0))

const RLIMITS = {
  nofile: count,
  nproc: count,
  core: bytes,
  fsize: bytes,
  as: bytes,
  memlock: bytes,
  stack: bytes,
  cpu: orUnlimited(duration(1)),
} satisfies Record<string, Kind<number | null>>
const isRlimit = (name: string): name is keyof typeof RLIMITS => Object.hasOwn(RLIMITS, name)

export const rlimits: Kind<Rlimits> = {
  expected:
    'a map of nofile, nproc (numbers), core, fsize, as, memlock, stack (sizes such as 256M) and cpu (a duration), each possibly unlimited',
  read(value) {
    if (!isRecord(value)) return undefined
    const found: Record<string, number | null> = {}
    for (const [name, one] of Object.entries(value)) {
      const limit = isRlimit(name) ? RLIMITS[name].read(one) : undefined
      if (limit === undefined) return undefined
      found[name] = limit
    }
    return found
  },
  schema: mapSchema(Object.fromEntries(Object.entries(RLIMITS).map(([name, { schema }]) => [name, schema]))),
}

/** Lower priorities only: the runtime user may not raise its own. */
export const niceness = whole(0, 19)

// ---- where it gets its secrets ----

/** Where a secret comes from: a file, relative to the profile's directory or absolute, or the output of a command. */
export type SecretSource = (
  | { readonly file: string }
  | { readonly command: readonly string[]; readonly timeoutMs: number }
) & {
  /** Time between two looks whether it has changed; absent: none. */
  readonly refreshMs?: number
}
/** By the names of their variables. */
export type Secrets = Readonly<Record<string, SecretSource>>

const DEFAULT_FETCH_TIMEOUT = '30s'
const LEAST_REFRESH_MS = 1000
const REFRESH = duration(LEAST_REFRESH_MS)
const REFRESH_SCHEMA = { ...duration().schema, minimum: LEAST_REFRESH_MS / 1000 }

export const secretSource: Kind<SecretSource> = {
  expected:
    '{file: a path} or {command: a list of a program and its arguments, timeout: a duration}, each possibly with refresh: a duration of 1s or more',
  read(value) {
    if (!isRecord(value) || (value.file === undefined) === (value.command === undefined)) return undefined
    const refreshMs = value.refresh === undefined ? undefined : REFRESH.read(value.refresh)
    if (value.refresh !== undefined && refreshMs === undefined) return undefined
    const refreshed = refreshMs === undefined ? {} : { refreshMs }
    if (value.command === undefined) {
      const { file } = value
      const isPath = typeof file === 'string' && file !== '' && !file.includes('\0')
      return isPath && hasOnly(value, 'file', 'refresh') ? { file, ...refreshed } : undefined
    }
    const command = readCommandLine(value.command)
    const timeoutMs = SPAN.read(value.timeout ?? DEFAULT_FETCH_TIMEOUT)
    if (command === undefined || timeoutMs === undefined || !hasOnly(value, 'command', 'timeout', 'refresh'))
      return undefined
    return { command, timeoutMs, ...refreshed }
  },
  schema: {
    anyOf: [
      mapSchema({ file: { type: 'string', minLength: 1 }, refresh: REFRESH_SCHEMA }, 'file'),
      mapSchema(
        { command: COMMAND_LINE, timeout: { ...SPAN.schema, default: DEFAULT_FETCH_TIMEOUT }, refresh: REFRESH_SCHEMA },
        'command',
      ),
    ],
  },
  converted: true,
  // A secret may have been written in the place of its source.
  secret: true,
}

/** Variables that Hermes itself sets in a slot. */
const OURS = /^(?:HERMES_.*|HOME|USER|LOGNAME|PATH)$/
const secretName: Kind<string> = {
  expected: 'the name of a variable that neither Hermes nor the shell sets, such as API_TOKEN',
  read: (value) => (typeof value === 'string' && isExportable(value) && !OURS.test(value) ? value : undefined),
  schema: { allOf: [{ pattern: VARIABLE.source }, { not: { pattern: OURS.source } }] },
}

export const secrets: Kind<Secrets> = {
  expected: `names and sources such as {API_TOKEN: {file: /run/secrets/token}}`,
  read(value) {
    if (!isRecord(value)) return undefined
    const entries = Object.entries(value).map(([name, one]) => [secretName.read(name), secretSource.read(one)] as const)
    const sound = entries.every(([name, one]) => name !== undefined && one !== undefined)
    return sound ? Object.fromEntries(entries as readonly (readonly [string, SecretSource])[]) : undefined
  },
  schema: {
    type: 'object',
    propertyNames: secretName.schema,
    additionalProperties: { anyOf: [secretSource.schema, { type: 'null' }] },
  },
  each: { name: secretName, entry: secretSource },
}
