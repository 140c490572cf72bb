/**
 * The keys of a service in /etc/hermes/services.yaml: accepted values and their meaning. The table in
 * docs/services.md is generated from it.
 */

import {
  commandLine,
  duration as durationKind,
  flag,
  giveUpAfter,
  hasOnly,
  type Kind,
  mapSchema,
  oneOf,
  readScalar,
  ready,
  signal,
  variables,
  whole,
} from '../profile/config/kinds/kinds.ts'
import { cron, dependencies } from '../profile/config/kinds/program-kinds.ts'
import { PROGRAM_KEYS, type ProgramKeyName, type ProgramValue } from '../profile/config/program-keys.ts'
import { isRecord } from '../system/text/record.ts'

export interface ServiceKey<T> {
  readonly kind: Kind<T>
  /** The default, as written in the file. */
  readonly written: string
  readonly help: string
}

const key = <T>(kind: Kind<T>, written: string, help: string): ServiceKey<T> => ({ kind, written, help })
const duration = (written: string, help: string): ServiceKey<number> => key(durationKind(), written, help)

const argv = commandLine('[my-server, --port, "80"]')
const readName = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined

const account: Kind<string> = {
  expected: 'the name of an account, a uid, or either with :group',
  read: (value) => (typeof value === 'number' ? readScalar(value) : readName(value)),
  schema: { type: ['string', 'integer'], minLength: 1 },
}

const directory: Kind<string> = {
  expected: 'an absolute path',
  read: (value) => (readName(value)?.startsWith('/') ? (value as string) : undefined),
  schema: { type: 'string', pattern: '^/' },
}

const isPath = (value: unknown): value is string => readName(value)?.startsWith('/') === true
const files: Kind<readonly string[]> = {
  expected: 'an absolute path, or a list of them',
  read(value) {
    const all: readonly unknown[] = Array.isArray(value) ? value : [value]
    return all.every(isPath) ? all : undefined
  },
  schema: {
    anyOf: [
      { type: 'string', pattern: '^/' },
      { type: 'array', items: { type: 'string', pattern: '^/' } },
    ],
  },
}

const SPAN = durationKind(1)
const restartDelay: Kind<{ readonly firstMs: number; readonly maxMs: number }> = {
  expected: '{first: a duration, max: a duration}',
  read(value) {
    if (!isRecord(value) || !hasOnly(value, 'first', 'max')) return undefined
    const firstMs = SPAN.read(value.first ?? '1s')
    const maxMs = SPAN.read(value.max ?? '60s')
    return firstMs && maxMs ? { firstMs, maxMs } : undefined
  },
  schema: mapSchema({ first: SPAN.schema, max: SPAN.schema }),
}

type ProgramServiceKeys = { readonly [K in ProgramKeyName]: ServiceKey<ProgramValue<K>> }

/** The keys that a gateway and a service have in common. */
function programKeys(): ProgramServiceKeys {
  const entries = Object.entries(PROGRAM_KEYS).map(([name, { kind, help }]) => [
    name,
    key<unknown>(kind, '(none)', help),
  ])
  return Object.fromEntries(entries) as ProgramServiceKeys
}

export const SERVICE_KEYS = {
  command: key(argv, '(required)', 'command to run, as a list'),
  user: key(account, 'root', 'user that runs it; `hermes` is the runtime user'),
  environment: key(variables, '{}', 'variables added to the container’s environment'),
  env_file: key(
    files,
    '[]',
    'files with lines NAME=value, whose variables are added, too; `environment` goes before them',
  ),
  directory: key(directory, '/', 'working directory'),
  replicas: key(
    whole(1, 100),
    '(none)',
    'run it so many times, as services name-1, name-2, …; each has its number in HERMES_REPLICA',
  ),
  start: key(
    flag,
    'true',
    'true: start it with the container; false: start it by `hermes service start`, or when another service depends on it',
  ),
  depends_on: key(dependencies, '[]', 'services that start before it and stop after it'),
  oneshot: key(flag, 'false', 'true: run it once; it is done when it has exited with 0'),
  schedule: key(cron, '(none)', 'times at which it runs; runs never overlap'),
  ready: key(ready('alive'), 'alive', 'how it announces that it is ready'),
  ready_after: duration('0s', 'time alive after which it counts as ready, if it does not announce readiness'),
  start_timeout: duration('60s', 'time limit from start to ready (for a oneshot: to its end); 0 = no limit'),
  restart: key(oneOf('always', 'on-failure', 'never'), 'always', 'whether to restart it after it has ended by itself'),
  restart_delay: key(restartDelay, '{first: 1s, max: 60s}', 'delay before a restart; doubles with each death'),
  give_up_after: key(giveUpAfter, '(never)', 'park it after this many deaths within this time'),
  stop_signal: key(signal, 'TERM', 'signal that stops it'),
  stop_timeout: duration('10s', 'time from the stop signal to KILL'),
  finish: key(
    argv,
    '(none)',
    'command to run after each end, for at most 5 s; for a oneshot: command that undoes it when it is stopped',
  ),
  essential: key(flag, 'false', 'true: stop the container when it has ended for good or is parked'),
  ...programKeys(),
} satisfies Record<string, ServiceKey<unknown>>

export type ServiceKeyName = keyof typeof SERVICE_KEYS
export type ServiceValues = {
  readonly [K in ServiceKeyName]?: NonNullable<ReturnType<(typeof SERVICE_KEYS)[K]['kind']['read']>>
}
