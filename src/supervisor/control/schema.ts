/**
 * Schemas of the control protocol's requests. Loaded with the first request, because zod/mini costs the supervisor 5
 * to 6 ms and 2 MB of RSS once, which a supervisor without clients need not pay.
 */
import * as z from 'zod/mini'
import {
  CONTROL_PROTOCOL_VERSION,
  type ControlError,
  MAX_WAIT_MS,
  type Op,
  type Request,
} from '../../protocol/control.ts'
import { isSlotKey } from '../../protocol/init.ts'
import { isSignal, type SignalName } from '../../system/signals.ts'

const text = (maxLength: number) => z.string().check(z.maxLength(maxLength))
const slot = z.custom<string>(isSlotKey, 'expected a slot name such as "gateway-default"')
const jobSlot = z.custom<string>(
  (value) => isSlotKey(value) && value.startsWith('job-'),
  'expected a slot name that begins with "job-"',
)
const path = z.custom<string>(
  (value) => typeof value === 'string' && value.startsWith('/') && value.length <= 4096 && !value.includes('\0'),
  'expected an absolute path',
)
const argv = z
  .array(text(131_072).check(z.regex(/^[^\0]*$/, 'expected text without NUL')))
  .check(z.refine((list) => list.length > 0, 'expected at least one argument'))
const variables = z.record(
  z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a variable name')),
  text(131_072).check(z.regex(/^[^\0]*$/, 'expected text without NUL')),
)
const signal = z.custom<SignalName>(isSignal, 'expected a signal name without SIG, such as "TERM"')
const timeoutMs = z.number().check(z.minimum(0), z.maximum(MAX_WAIT_MS))

const head = <O extends Op>(op: O) => ({
  v: z.literal(CONTROL_PROTOCOL_VERSION),
  id: z.int().check(z.minimum(0)),
  op: z.literal(op),
  belowInit: z.optional(z.boolean()),
  by: z.optional(text(200)),
})
const ofSlot = <O extends Op>(op: O) => z.object({ ...head(op), slot })
const slotWait = <O extends Op>(op: O) => z.extend(ofSlot(op), { timeoutMs: z.optional(timeoutMs) })
const action = <O extends Op>(op: O) =>
  z.extend(slotWait(op), { wait: z.optional(z.boolean()), keepDesired: z.optional(z.boolean()) })

// `satisfies`: an operation without a schema, or with one for another shape, does not compile.
const schemas = {
  ping: z.object({ ...head('ping'), booted: z.optional(z.boolean()) }),
  status: z.object({ ...head('status'), slot: z.optional(slot) }),
  alive: ofSlot('alive'),
  start: action('start'),
  stop: action('stop'),
  restart: action('restart'),
  signal: z.object({ ...head('signal'), slot, signal, group: z.optional(z.boolean()) }),
  reconcile: z.object(head('reconcile')),
  'reload-services': z.object({
    ...head('reload-services'),
    dryRun: z.optional(z.boolean()),
    timeoutMs: z.optional(timeoutMs),
  }),
  register: slotWait('register'),
  unregister: slotWait('unregister'),
  unwall: z.object({ ...head('unwall'), profile: text(64) }),
  deaths: ofSlot('deaths'),
  events: z.object(head('events')),
  logs: z.object({ ...head('logs'), slots: z.array(slot).check(z.maxLength(4096)) }),
  job: z.object({
    ...head('job'),
    slot: jobSlot,
    profile: text(64),
    command: argv,
    cwd: path,
    env: variables,
    logFile: path,
    stdinFile: z.optional(path),
    resultFile: z.optional(path),
    stopTimeoutMs: z.optional(timeoutMs),
    nodeEpoch: z.optional(z.int().check(z.minimum(1))),
  }),
  'node-lease': z.object({
    ...head('node-lease'),
    epoch: z.int().check(z.minimum(1)),
    workersUntilMs: z.number().check(z.minimum(0)),
  }),
  'job-result': ofSlot('job-result'),
  'job-take': ofSlot('job-take'),
} satisfies { readonly [O in Op]: z.ZodMiniType<Loose<Request<O>>> }

/** zod gives `T | undefined` for an optional key; JSON has no undefined, so the key is then absent. */
type Loose<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] }

export type Parsed =
  | { readonly ok: true; readonly request: Request }
  | { readonly ok: false; readonly id: number | null; readonly error: ControlError }

/** One line of a client: a request that can be trusted, or the error it gets. */
export function parseRequest(line: string): Parsed {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return bad(null, `the request is not JSON: ${show(line)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad(null, `the request is not a JSON object: ${show(line)}`)
  const { id, op, v } = value as { id?: unknown; op?: unknown; v?: unknown }
  const knownId = typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null
  if (v !== CONTROL_PROTOCOL_VERSION)
    return bad(
      knownId,
      `the request speaks version ${show(JSON.stringify(v))} of the control protocol; this supervisor speaks ${CONTROL_PROTOCOL_VERSION}`,
    )
  if (typeof op !== 'string' || !Object.hasOwn(schemas, op))
    return bad(
      knownId,
      `there is no operation ${show(JSON.stringify(op))}; there are: ${Object.keys(schemas).join(' ')}`,
    )
  const parsed = schemas[op as Op].safeParse(value)
  if (parsed.success) return { ok: true, request: parsed.data as Request }
  const issue = parsed.error.issues[0]
  const where = issue?.path.map(String).join('.') || 'the request'
  return bad(knownId, `${op}: ${where}: ${issue === undefined ? 'not as expected' : expectation(issue)}`)
}

/** Texts for validation errors, because zod/mini has none; only these can occur here. */
function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'too_big':
      return `expected at most ${issue.maximum}`
    case 'too_small':
      return `expected at least ${issue.minimum}`
    case 'invalid_key':
      return 'expected a variable name'
    default:
      return issue.message
  }
}

const bad = (id: number | null, message: string): Parsed => ({ ok: false, id, error: { code: 'BAD_REQUEST', message } })
const show = (value: string | undefined): string => (value === undefined ? 'nothing' : value.slice(0, 80))
