/** The keys of a service in /etc/hermes/services.yaml: what each takes, and what it comes to. The table in docs/services.md is made from it. */
import { Cron } from 'croner'
import {
  announcement,
  CHECKS,
  check,
  DURATION,
  GIVE_UP,
  giveUpAfter,
  hasOnly,
  isMap,
  parseDurationMs,
  READY,
  SIGNAL,
  scalar,
  signal,
  VARIABLES,
  variables,
  whole,
  whyNoAnnouncement,
  words,
} from '../profile/config/values.ts'
import type { Dependency, Liveness, ServiceReadiness } from './definition.ts'

export interface ServiceKey<T> {
  /** What it takes, in words: the end of "expected …". */
  readonly expected: string
  /** As it is written where nothing is said. */
  readonly written: string
  readonly help: string
  /** @returns undefined for a value it does not take */
  readonly read: (value: unknown) => T | undefined
  /** What more can be said of such a value. */
  readonly whyNot?: (value: unknown) => string | undefined
}

const key = <T>(
  expected: string,
  written: string,
  help: string,
  read: (value: unknown) => T | undefined,
): ServiceKey<T> => ({ expected, written, help, read })

const flag = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined)
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined

const WORDS = 'a list of words such as [my-server, --port, "80"]'

const duration = (written: string, help: string): ServiceKey<number> => key(DURATION, written, help, parseDurationMs)

function dependencies(value: unknown): readonly Dependency[] | undefined {
  if (Array.isArray(value))
    return value.every((name) => typeof name === 'string') ? value.map((name) => ({ name, until: 'ready' })) : undefined
  if (!isMap(value)) return undefined
  const all = Object.entries(value).map(([name, until]) => ({ name, until }))
  return all.every((one): one is Dependency => one.until === 'ready' || one.until === 'started') ? all : undefined
}

const readiness = (value: unknown): ServiceReadiness | undefined =>
  value === 'alive' ? { by: 'alive' } : announcement(value)

function liveness(value: unknown): Liveness | undefined {
  if (!isMap(value) || !hasOnly(value, 'http', 'tcp', 'command', 'every', 'timeout', 'failures')) return undefined
  const what = check(value)
  const everyMs = parseDurationMs(value.every ?? '10s')
  const timeoutMs = parseDurationMs(value.timeout ?? '2s')
  const failures = whole(value.failures ?? 3, 1, 100)
  if (what === undefined || !everyMs || !timeoutMs || failures === undefined) return undefined
  return { check: what, everyMs, timeoutMs, failures }
}

function restartDelay(value: unknown): { readonly firstMs: number; readonly maxMs: number } | undefined {
  if (!isMap(value) || !hasOnly(value, 'first', 'max')) return undefined
  const firstMs = parseDurationMs(value.first ?? '1s')
  const maxMs = parseDurationMs(value.max ?? '60s')
  return firstMs && maxMs ? { firstMs, maxMs } : undefined
}

const SIZES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
function bytes(value: unknown): number | undefined {
  const found = /^(\d{1,15})([KMG]?)$/.exec(String(value))
  return found === null ? undefined : whole(Number(found[1]) * (SIZES[found[2] ?? ''] ?? 0), 1, Number.MAX_SAFE_INTEGER)
}

function schedule(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  try {
    // Constructed paused: only asked whether it can be read, and whether it ever comes.
    return new Cron(value, { paused: true }).nextRun() === null ? undefined : value
  } catch {
    return undefined // croner's TypeError is the answer
  }
}

export const SERVICE_KEYS = {
  command: key(WORDS, '(must be said)', 'what is run', words),
  user: key(
    'the name of an account, a uid, or either with :group',
    'root',
    'who it runs as; `hermes` is the runtime user',
    (value) => (typeof value === 'number' ? scalar(value) : text(value)),
  ),
  environment: key(VARIABLES, '{}', 'added to the container’s environment', variables),
  directory: key('an absolute path', '/', 'working directory', (value) =>
    text(value)?.startsWith('/') ? (value as string) : undefined,
  ),
  start: key(
    'true or false',
    'true',
    'starts with the container; else by `hermes service start`, or when something depends on it',
    flag,
  ),
  depends_on: key(
    'a list of names, or names with ready or started such as {redis: ready}',
    '[]',
    'starts after these, and stops before them',
    dependencies,
  ),
  oneshot: key('true or false', 'false', 'runs once, and is done when it has exited with 0', flag),
  schedule: key(
    'five or six cron fields such as "*/5 * * * *"',
    '(none)',
    'runs at these times; never twice at once',
    schedule,
  ),
  ready: {
    ...key(`alive, ${READY}`, 'alive', 'how it shows that it is ready', readiness),
    whyNot: whyNoAnnouncement,
  },
  ready_after: duration('0s', 'alive so long = ready, where nothing announces it'),
  start_timeout: duration('60s', 'from start to ready (a oneshot: to its end); 0 = no limit'),
  liveness: key(
    `${CHECKS}, with every, timeout and failures`,
    '(none)',
    'asked while it is up; `every: 10s`, `timeout: 2s`, and after `failures: 3` in a row it is restarted',
    liveness,
  ),
  restart: key('always, on-failure or never', 'always', 'when it has ended by itself', (value) =>
    value === 'always' || value === 'on-failure' || value === 'never' ? value : undefined,
  ),
  restart_delay: key(
    '{first: a duration, max: a duration}',
    '{first: 1s, max: 60s}',
    'pause before a restart; it doubles',
    restartDelay,
  ),
  give_up_after: key(GIVE_UP, '(never)', 'parks it after that many deaths in that time', giveUpAfter),
  stop_signal: key(SIGNAL, 'TERM', 'asks it to stop', signal),
  stop_timeout: duration('10s', 'from the stop signal to KILL'),
  finish: key(WORDS, '(none)', 'runs after each end, for at most 5 s; for a oneshot: undoes it at the stop', words),
  essential: key('true or false', 'false', 'the container stops when it has ended for good or is parked', flag),
  memory_limit: key(
    'bytes, or 512K, 256M, 1G',
    '(none)',
    'restarted when it and its children hold more memory than that',
    bytes,
  ),
} satisfies Record<string, ServiceKey<unknown>>

export type ServiceKeyName = keyof typeof SERVICE_KEYS
export type ServiceValues = {
  readonly [K in ServiceKeyName]?: NonNullable<ReturnType<(typeof SERVICE_KEYS)[K]['read']>>
}
