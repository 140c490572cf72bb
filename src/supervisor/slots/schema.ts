/**
 * The shape of a slot's kept state, for each state it can be in. By hand: zod costs the supervisor 2 MB, and a restart
 * its time.
 */

import type { Slot } from '../../slot/slot.ts'
import { isSignal } from '../../system/signals.ts'
import { isRecord } from '../../system/text/record.ts'

type Check = (value: unknown) => boolean
/** A key that ends in `?` may be missing. */
type Shape = { readonly [key: string]: Check }

/** Maximum of a Date; all our durations and counts are smaller. */
const LARGEST = 8.64e15
const isNumber: Check = (value) => typeof value === 'number' && Math.abs(value) <= LARGEST
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
/** Never a value that would mean a process group, or all processes (kill(2)). */
const isId: Check = (value) => isCount(value) && value !== 0
const isText: Check = (value) => typeof value === 'string'
const isBoolean: Check = (value) => typeof value === 'boolean'
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)

/** The first key with an invalid value; undefined: none. */
function wrongKey(value: unknown, shape: Shape): string | undefined {
  if (!isRecord(value)) return ''
  return Object.keys(shape).find((key) => {
    const name = key.replace('?', '')
    if (!Object.hasOwn(value, name)) return name === key
    return shape[key]?.(value[name]) !== true
  })
}
const like =
  (shape: Shape): Check =>
  (value) =>
    wrongKey(value, shape) === undefined

const ending: Check = (value) => like({ exitCode: isCount })(value) || like({ signal: isSignal })(value)
const child = like({ id: isId, pid: isId, startTime: isCount, spawnedAtMs: isNumber })
const policy = like({
  kind: oneOf('service', 'job', 'oneshot'),
  restart: oneOf('always', 'on-failure', 'never'),
  restartDelay: like({ firstMs: isNumber, maxMs: isNumber }),
  forgetAfterMs: isNumber,
  readiness: oneOf('alive', 'announced'),
  readyAfterMs: isNumber,
  startTimeoutMs: isNumber,
  stopSignal: isSignal,
  stopTimeoutMs: isNumber,
  giveUpAfter: orNull(like({ deaths: isNumber, withinMs: isNumber })),
  'finish?': like({ timeoutMs: isNumber, 'atStop?': isBoolean }),
})
const readiness: Check = (value) =>
  like({ by: oneOf('alive', 'fetched') })(value) ||
  like({ by: oneOf('fd'), fd: isCount })(value) ||
  like({ by: oneOf('log'), pattern: isText })(value) ||
  like({ by: oneOf('http'), url: isText })(value) ||
  like({ by: oneOf('tcp'), host: isText, port: isCount })(value) ||
  like({ by: oneOf('command'), command: listOf(isText) })(value)
const probe = like({
  check: (value) => readiness(value) && isRecord(value) && ['http', 'tcp', 'command'].includes(String(value.by)),
  everyMs: isNumber,
  timeoutMs: isNumber,
  failures: isCount,
})
const health = like({
  'liveness?': like({ 'probe?': probe, 'silenceMs?': isNumber }),
  'onStuck?': oneOf('report', 'restart'),
  'memoryLimitBytes?': isCount,
  'maxAgeMs?': isCount,
  'watch?': listOf(isText),
})
const secretSource: Check = (value) =>
  like({ file: isText, 'refreshMs?': isNumber })(value) ||
  like({ command: listOf(isText), timeoutMs: isNumber, 'refreshMs?': isNumber })(value)
const BACKOFF: Shape = { startAtMs: isNumber, reason: isText, 'unstarted?': isBoolean, 'notRun?': isBoolean }
const verdict: Check = (value) =>
  like({ to: oneOf('down'), 'reason?': isText })(value) ||
  like({ to: oneOf('start'), again: isBoolean })(value) ||
  like({ to: oneOf('backoff'), ...BACKOFF })(value) ||
  like({ to: oneOf('parked'), reason: isText })(value) ||
  like({ to: oneOf('done') })(value)

const FACTS: Shape = {
  policy,
  wanted: oneOf('up', 'down', 'once'),
  sinceMs: isNumber,
  request: isCount,
  lastChild: isCount,
  deathsInRow: isCount,
  deaths: listOf(like({ atMs: isNumber, wallMs: isNumber, 'upMs?': isNumber, ending })),
  commandAtMs: isNumber,
  restarts: isCount,
  'lastEnding?': like({ atMs: isNumber, wallMs: isNumber, pid: isId, ending, 'asked?': isBoolean }),
}

const STATES: { readonly [S in Slot['state']]: Shape } = {
  down: { 'reason?': isText },
  starting: { child: orNull(child), 'readyAtMs?': isNumber },
  up: { child, readyAtMs: isNumber },
  stopping: {
    child: orNull(child),
    cause: oneOf('asked', 'halt', 'start-timeout', 'condemned', 'stray', 'finish'),
    'why?': isText,
    killAtMs: orNull(isNumber),
    'verdict?': verdict,
    again: isBoolean,
    'readyAtMs?': isNumber,
  },
  backoff: BACKOFF,
  parked: { reason: isText },
  done: {},
}

const STORED: Shape = {
  slot: () => true, // looked at by its state
  'launch?': like({
    policy,
    readiness,
    killLeftovers: isBoolean,
    essential: isBoolean,
    'health?': health,
    'schedule?': isText,
    'secrets?': (value) => isRecord(value) && Object.values(value).every(secretSource),
    'dependsOn?': listOf(like({ name: isText, until: oneOf('ready', 'started', 'completed') })),
  }),
  sinceWallMs: isNumber,
  normallyUp: isBoolean,
  'job?': like({
    slot: isText,
    profile: isText,
    command: listOf(isText),
    cwd: isText,
    env: (value) => isRecord(value) && Object.values(value).every(isText),
    logFile: isText,
    'stdinFile?': isText,
    'resultFile?': isText,
    'stopTimeoutMs?': isNumber,
  }),
  'startedIn?': isText,
}

/** @returns one line that says why this is not a slot's state of this version; undefined: it is valid */
export function storedSlotProblem(value: unknown, version: number): string | undefined {
  if (!isRecord(value) || !isRecord(value.slot)) return 'it is not the state of a slot'
  if (value.v !== version) return `it is of version ${JSON.stringify(value.v)}, not ${version}`
  const { state } = value.slot
  if (typeof state !== 'string' || !Object.hasOwn(STATES, state)) return `there is no state ${JSON.stringify(state)}`
  const wrong = wrongKey(value, STORED) ?? wrongKey(value.slot, { ...FACTS, ...STATES[state as Slot['state']] })
  return wrong === undefined ? undefined : `its "${wrong}" is not as it should be`
}
