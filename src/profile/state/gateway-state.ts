/**
 * `gateway_state.json` of a profile: the observed state of its gateway (docs/files.md), with the profile's id and the
 * name of its directory. Others may write it: a checksum shows whether the file is as we left it.
 */

import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { writeStateFile } from '../replace-file.ts'

export type GatewayState = 'starting' | 'running' | 'draining' | 'degraded' | 'stopped' | 'startup_failed'

/** The file as found: unknown keys are kept, known ones may have any value. */
export type Observed = Readonly<Record<string, unknown>>

/** Which profile the files of a directory were written for. */
export interface ProfileIdentity {
  /** Random, one per profile; a copy has that of its original. */
  readonly id: string
  /** Name of its directory when the file was written; `default` for the volume's top. */
  readonly name: string
}

/** Values to write; absent: leave unchanged; null: unknown now, remove. */
export interface GatewayStateFacts {
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

export const STATE_FILE = 'gateway_state.json'
const MAX_STATE_BYTES = 1_000_000
/**
 * Takes the place of a checksum: we have added to a file that another program had written, and its values still count
 * as that program's.
 */
const NOT_OURS = 'none'
/** Keys covered by the checksum: our own, and the key that others may add. */
const SUMMED = [
  'gateway_state',
  'desired_state',
  'pid',
  'start_time',
  'exit_reason',
  'restarts',
  'instance',
  'clean',
  'updated_at',
  'profile',
  'profile_id',
] as const

/** @returns undefined: it does not exist; or `problem`: the reason why it cannot be used */
export function readObserved(dir: string): { readonly observed?: Observed; readonly problem?: string } {
  const { text, problem } = readSmallFile(below(dir, STATE_FILE), MAX_STATE_BYTES)
  if (problem !== undefined) return { problem }
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { observed: value as Observed }
    return { problem: 'is not a JSON object' }
  } catch {
    // Cut short, or never JSON.
    return { problem: text.trim() === '' ? 'is empty' : 'is not JSON' }
  }
}

/**
 * Determines the last writer of the file. A version without checksums left two keys that no other program writes, and
 * over a file of ours an `instance` that differs from the one in the checksum.
 */
export function writerOf(observed: Observed): 'us' | 'earlier version' | 'somebody' {
  const { checksum, instance, clean } = observed
  if (checksum === sealOf(observed)) return 'us'
  const isEarlier = typeof instance === 'string' && typeof clean === 'boolean' && checksum !== NOT_OURS
  const signedFor = typeof checksum === 'string' ? checksum.split(':')[0] : undefined
  return isEarlier && signedFor !== instance ? 'earlier version' : 'somebody'
}

/** Which profile the file was written for; undefined: it does not say. */
export function identityOf(observed: Observed | undefined): ProfileIdentity | undefined {
  const { profile: name, profile_id: id } = observed ?? {}
  return typeof name === 'string' && typeof id === 'string' && id !== '' ? { id, name } : undefined
}

/**
 * Records the observed state. Foreign keys are kept; a file that cannot be understood is replaced. A file that
 * already names a profile keeps that name and id, whatever `name` is: a copy that is still in progress must be
 * recognizable at the next boot.
 * @param name the profile's name
 * @throws the error of the file system (full, read-only, gone)
 */
export function writeGatewayState(dir: string, name: string, facts: GatewayStateFacts): void {
  const { observed = {} } = readObserved(dir)
  // At a container's stop, only the ending is added: values that others have written in the meantime are read at the
  // next boot.
  const isWhole = facts.gatewayState !== undefined
  const isSomebodys = !isWhole && Object.keys(observed).length > 0 && writerOf(observed) === 'somebody'
  const state = put(observed, [
    ['gateway_state', facts.gatewayState],
    ['pid', facts.pid],
    ['start_time', facts.startTime],
    ['exit_reason', facts.exitReason],
    ['restarts', facts.restarts],
    ['instance', facts.instance],
    ['clean', facts.clean],
    ['updated_at', new Date(facts.updatedAtMs).toISOString()],
    ...(identityOf(observed) === undefined && !isSomebodys ? identityKeys({ id: newId(), name }) : []),
  ])
  write(dir, isSomebodys ? { ...state, checksum: NOT_OURS } : sealed(state))
}

/**
 * The profile was renamed, moved or restored: its files are this directory's from now on.
 * @throws the error of the file system
 */
export function renameIdentity(dir: string, name: string): void {
  const { observed } = readObserved(dir)
  const identity = identityOf(observed)
  if (observed === undefined || identity === undefined || identity.name === name) return
  const isOurs = writerOf(observed) === 'us'
  const renamed = put(observed, identityKeys({ ...identity, name }))
  write(dir, isOurs ? sealed(renamed) : renamed)
}

type Keys = readonly (readonly [string, unknown])[]

const identityKeys = ({ id, name }: ProfileIdentity): Keys => [
  ['profile', name],
  ['profile_id', id],
]

function put(observed: Observed, keys: Keys): Record<string, unknown> {
  const state: Record<string, unknown> = { ...observed }
  for (const [key, value] of keys) {
    if (value === null) delete state[key]
    else if (value !== undefined) state[key] = value
  }
  return state
}

const write = (dir: string, state: Observed): void =>
  writeStateFile(below(dir, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`, { durable: false })

const sealed = (state: Observed): Observed => ({ ...state, checksum: sealOf(state) })

/**
 * `<instance>:<FNV-1a, 32 bits>`: against chance and edits, not against forgery, as the directory belongs to the
 * runtime user.
 */
function sealOf(state: Observed): string {
  const text = JSON.stringify(SUMMED.map((key) => state[key] ?? null))
  let sum = 0x811c9dc5
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193)
  return `${typeof state.instance === 'string' ? state.instance : ''}:${(sum >>> 0).toString(16).padStart(8, '0')}`
}

/** Ids must be unique, not secret; node:crypto would have to be loaded for them at boot. */
const newId = (): string =>
  Array.from({ length: 4 }, () =>
    Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
