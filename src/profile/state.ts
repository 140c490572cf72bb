/**
 * The two state files of a profile (docs/files.md): `desired_state`, what an operator wants, and
 * `gateway_state.json`, what was observed. Others may write, tamper with or lose both, so reading never throws, never hangs
 * and takes anything that is not a small regular file with sound content for "says nothing".
 */
import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { SlotState } from '../slot/slot.ts'
import { below } from '../system/paths.ts'
import { readSmallFile } from '../system/small-file.ts'

export type DesiredState = 'running' | 'stopped'
export type GatewayState = 'starting' | 'running' | 'draining' | 'degraded' | 'stopped' | 'startup_failed'
export type PriorExit = 'clean' | 'unclean' | 'unknown'

export interface Desired {
  /** What the files ask for; null when none of them says anything: register, do not start. */
  readonly wanted: DesiredState | null
  /** The value that decided, for the boot log; null: none. */
  readonly priorState: string | null
  readonly priorExit: PriorExit
  /** One line per file or value that had to be ignored, with its path. */
  readonly warnings: readonly string[]
}

const DESIRED_FILE = 'desired_state'
const STATE_FILE = 'gateway_state.json'
const MAX_DESIRED_BYTES = 1024
const MAX_STATE_BYTES = 1_000_000

/** What each observed state asks for at the next boot. */
const meaning: { readonly [S in GatewayState]: DesiredState } = {
  running: 'running',
  draining: 'running',
  degraded: 'running',
  starting: 'stopped',
  stopped: 'stopped',
  startup_failed: 'stopped',
}

/** What the file says about a slot in this state. */
export const gatewayStateOf: { readonly [S in SlotState]: GatewayState } = {
  starting: 'starting',
  up: 'running',
  stopping: 'draining',
  backoff: 'degraded',
  down: 'stopped',
  done: 'running',
  parked: 'startup_failed',
}

/**
 * Who decides: the file `desired_state`, else `desired_state` in the JSON, else its `gateway_state`.
 * @param dir the profile's directory; the volume's top for `default`
 */
export function readDesired(dir: string): Desired {
  const warnings: string[] = []
  const observed = readObserved(dir, warnings)
  const priorExit: PriorExit = observed?.clean === true ? 'clean' : observed?.clean === false ? 'unclean' : 'unknown'
  const word = readDesiredFile(dir, warnings) ?? readDesiredKey(dir, observed, warnings)
  if (word !== null) return { wanted: word, priorState: word, priorExit, warnings }
  const state = observed?.gateway_state
  if (state === undefined || state === null) return { wanted: null, priorState: null, priorExit, warnings }
  if (isGatewayState(state)) return { wanted: meaning[state], priorState: state, priorExit, warnings }
  warnings.push(ignored(dir, STATE_FILE, `has the unknown gateway_state ${quote(state)}`))
  return { wanted: null, priorState: null, priorExit, warnings }
}

/**
 * `HERMES_GATEWAY_BOOTSTRAP_STATE`: a volume that never held a gateway starts the default one at its first boot.
 * @param value the variable
 * @param home the volume's top
 */
export function wantsBootstrap(value: string | undefined, home: string): { start: boolean; warning?: string } {
  if (value === undefined || value === '') return { start: false }
  if (value !== 'running')
    return {
      start: false,
      warning: `HERMES_GATEWAY_BOOTSTRAP_STATE is ${quote(value)}, which means nothing; only "running" does`,
    }
  // Anything under that name, readable or not, means this volume has been used.
  const { text, problem } = readSmallFile(below(home, STATE_FILE), MAX_STATE_BYTES)
  return { start: text === undefined && problem === undefined }
}

/**
 * Records what an operator wants. When this returns, it survives a power cut.
 * @throws the error of the file system: the caller tells the operator
 */
export function writeDesired(dir: string, state: DesiredState): void {
  replaceFile(dir, DESIRED_FILE, `${state}\n`, true)
}

/** What to write; absent: leave as it is, null: no longer known, remove. */
export interface GatewayFacts {
  /** Unix ms. */
  readonly updatedAtMs: number
  readonly gatewayState?: GatewayState
  readonly pid?: number | null
  /** Field 22 of /proc/pid/stat, in clock ticks. */
  readonly startTime?: number | null
  readonly exitReason?: string | null
  readonly restarts?: number
  readonly instance?: string
  /** false while it runs, true after an orderly end. */
  readonly clean?: boolean
}

/**
 * Records what was observed. Keys that are not ours stay; a file that cannot be understood is replaced.
 * @throws the error of the file system (full, read-only, gone)
 */
export function writeGatewayState(dir: string, facts: GatewayFacts): void {
  const state: Record<string, unknown> = { ...readObserved(dir, []) }
  const keys: readonly (readonly [string, unknown])[] = [
    ['gateway_state', facts.gatewayState],
    ['pid', facts.pid],
    ['start_time', facts.startTime],
    ['exit_reason', facts.exitReason],
    ['restarts', facts.restarts],
    ['instance', facts.instance],
    ['clean', facts.clean],
    ['updated_at', new Date(facts.updatedAtMs).toISOString()],
  ]
  for (const [key, value] of keys) {
    if (value === null) delete state[key]
    else if (value !== undefined) state[key] = value
  }
  replaceFile(dir, STATE_FILE, `${JSON.stringify(state, null, 2)}\n`, false)
}

function readDesiredFile(dir: string, warnings: string[]): DesiredState | null {
  const { text, problem } = readSmallFile(below(dir, DESIRED_FILE), MAX_DESIRED_BYTES)
  if (problem !== undefined) warnings.push(ignored(dir, DESIRED_FILE, problem))
  if (text === undefined) return null
  const word = text.trim()
  if (isDesired(word)) return word
  warnings.push(
    ignored(dir, DESIRED_FILE, word === '' ? 'is empty' : `holds ${quote(word)}, not "running" or "stopped"`),
  )
  return null
}

function readDesiredKey(
  dir: string,
  observed: Record<string, unknown> | undefined,
  warnings: string[],
): DesiredState | null {
  const value = observed?.desired_state
  if (value === undefined || value === null) return null
  if (isDesired(value)) return value
  warnings.push(ignored(dir, STATE_FILE, `has the unknown desired_state ${quote(value)}`))
  return null
}

function readObserved(dir: string, warnings: string[]): Record<string, unknown> | undefined {
  const { text, problem } = readSmallFile(below(dir, STATE_FILE), MAX_STATE_BYTES)
  if (problem !== undefined) warnings.push(ignored(dir, STATE_FILE, problem))
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    warnings.push(ignored(dir, STATE_FILE, 'is not a JSON object'))
  } catch {
    warnings.push(ignored(dir, STATE_FILE, text.trim() === '' ? 'is empty' : 'is not JSON'))
  }
  return undefined
}

const isDesired = (value: unknown): value is DesiredState => value === 'running' || value === 'stopped'
const isGatewayState = (value: unknown): value is GatewayState =>
  typeof value === 'string' && Object.hasOwn(meaning, value)
const quote = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60)
const ignored = (dir: string, file: string, problem: string): string => `${below(dir, file)} ${problem}; it is ignored`

/** Write, then rename: a reader sees the old text or the new one, and a link planted under either name is not followed. */
function replaceFile(dir: string, file: string, text: string, durable: boolean): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_DIRECTORY } = constants
  // Named by pid: one process writes one file at a time, and what a kill leaves behind is replaced by its successor in a container.
  const scratch = below(dir, `.${file}.${process.pid}`)
  rmSync(scratch, { force: true })
  const fd = openSync(scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    writeFileSync(fd, text)
    if (durable) fsyncSync(fd)
    renameSync(scratch, below(dir, file))
  } catch (error) {
    rmSync(scratch, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  if (!durable) return
  const dirFd = openSync(dir, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(dirFd)
  } finally {
    closeSync(dirFd)
  }
}
