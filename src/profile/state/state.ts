/**
 * The desired state of a profile's gateway: from `desired_state`, written by operators' commands, and
 * `gateway_state.json`, the observed state (docs/files.md). Others may write, tamper with or lose both, so reading
 * never throws and never hangs, and anything but a small regular file with valid content counts as missing.
 */

import type { SlotState } from '../../slot/slot.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { writeStateFile } from '../replace-file.ts'
import {
  type GatewayState,
  identityOf,
  type Observed,
  type ProfileIdentity,
  readObserved,
  STATE_FILE,
  writerOf,
} from './gateway-state.ts'

export { type GatewayState, type GatewayStateFacts, writeGatewayState } from './gateway-state.ts'

export type DesiredState = 'running' | 'stopped'
export type PriorExit = 'clean' | 'unclean' | 'unknown'

export interface Desired {
  /** The desired state; null if no file gives one: register, do not start. */
  readonly wanted: DesiredState | null
  /** The value that decided, for the boot log; null: none. */
  readonly priorState: string | null
  readonly priorExit: PriorExit
  /** `desired_state` differs and was overruled by a later command: rewrite it. */
  readonly overruled?: true
  /** Which profile the files were written for, if they say. */
  readonly identity?: ProfileIdentity
  /** One line per file or value that had to be ignored, with its path. */
  readonly warnings: readonly string[]
}

const DESIRED_FILE = 'desired_state'
const MAX_DESIRED_BYTES = 1024

/** The desired state at the next boot for each observed state. */
const meaning: { readonly [S in GatewayState]: DesiredState } = {
  running: 'running',
  draining: 'running',
  degraded: 'running',
  starting: 'stopped',
  stopped: 'stopped',
  startup_failed: 'stopped',
}

/** Value in the file for each state of a slot. */
export const gatewayStateOf: { readonly [S in SlotState]: GatewayState } = {
  starting: 'starting',
  up: 'running',
  stopping: 'draining',
  backoff: 'degraded',
  down: 'stopped',
  done: 'running',
  parked: 'startup_failed',
}

type StoredDesired = Pick<Desired, 'priorState'> & { readonly wanted: DesiredState }

/**
 * The latest writer decides. A gateway_state.json that is not as we left it was written by someone else: its
 * `desired_state` counts, else its `gateway_state`. Otherwise the file `desired_state` decides, else these two keys.
 * @param dir the profile's directory; the top of the volume for `default`
 */
export function readDesired(dir: string): Desired {
  const warnings: string[] = []
  const { observed, problem } = readObserved(dir)
  if (problem !== undefined) warnings.push(ignored(dir, STATE_FILE, problem))
  const priorExit: PriorExit = observed?.clean === true ? 'clean' : observed?.clean === false ? 'unclean' : 'unknown'
  const file = readDesiredFile(dir, warnings)
  const isLater = observed !== undefined && writerOf(observed) === 'somebody'
  // If the file decides, the JSON is not consulted.
  const fromJson = file === null || isLater ? desiredFromJson(dir, observed, warnings) : null
  const decided = fromJson ?? file
  const identity = identityOf(observed)
  const facts = { priorExit, warnings, ...(identity && { identity }) }
  if (decided === null) return { wanted: null, priorState: null, ...facts }
  const overruled = file !== null && file.wanted !== decided.wanted
  return { ...decided, ...(overruled && { overruled }), ...facts }
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
  const { observed, problem } = readObserved(home)
  return { start: observed === undefined && problem === undefined }
}

/**
 * Records the desired state. When this returns, it survives a power cut.
 * @throws the error of the file system: the caller reports it to the operator
 */
export function writeDesired(dir: string, state: DesiredState): void {
  writeStateFile(below(dir, DESIRED_FILE), `${state}\n`, { durable: true })
}

function readDesiredFile(dir: string, warnings: string[]): StoredDesired | null {
  const { text, problem } = readSmallFile(below(dir, DESIRED_FILE), MAX_DESIRED_BYTES)
  if (problem !== undefined) warnings.push(ignored(dir, DESIRED_FILE, problem))
  if (text === undefined) return null
  const state = text.trim()
  if (isDesired(state)) return { wanted: state, priorState: state }
  warnings.push(
    ignored(dir, DESIRED_FILE, state === '' ? 'is empty' : `holds ${quote(state)}, not "running" or "stopped"`),
  )
  return null
}

function desiredFromJson(dir: string, observed: Observed | undefined, warnings: string[]): StoredDesired | null {
  const { desired_state: desired, gateway_state: state } = observed ?? {}
  if (isDesired(desired)) return { wanted: desired, priorState: desired }
  if (isGiven(desired)) warnings.push(ignored(dir, STATE_FILE, `has the unknown desired_state ${quote(desired)}`))
  if (isGatewayState(state)) return { wanted: meaning[state], priorState: state }
  if (isGiven(state)) warnings.push(ignored(dir, STATE_FILE, `has the unknown gateway_state ${quote(state)}`))
  return null
}

/** null stands for "not known". */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null
const isDesired = (value: unknown): value is DesiredState => value === 'running' || value === 'stopped'
const isGatewayState = (value: unknown): value is GatewayState =>
  typeof value === 'string' && Object.hasOwn(meaning, value)
const quote = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60)
const ignored = (dir: string, file: string, problem: string): string => `${below(dir, file)} ${problem}; it is ignored`
