/**
 * init's half of the volume's life: may the supervisor use the volume? docs/volume-life.md is the page of this machine.
 * Pure.
 *
 *   waiting   the lease is not ours, or is not yet known to be
 *   looking   init repairs the volume, or tries whether it can be written; the answer to look `look` is awaited
 *   prepared  the lease is ours and the volume can be written; the hooks still run
 *   begun     the supervisor was sent `begin`
 *   unusable  the volume cannot be written: the container ends
 *   stopped   the container stops: nothing is looked at and nothing is sent any more
 */
import type { LeaseState, ToSupervisor } from '../protocol/init.ts'

export type Gate = GateFacts &
  (
    | { readonly at: 'waiting' | 'prepared' | 'begun' | 'unusable' }
    | { readonly at: 'looking'; readonly what: Look }
    | { readonly at: 'stopped'; readonly begun: boolean }
  )

interface GateFacts {
  /** `unknown`: the lock has not been looked at yet. */
  readonly lease: LeaseState | 'unknown'
  readonly hooksDone: boolean
  /** The volume was repaired once; where the counter decides, that is enough. */
  readonly everPrepared: boolean
  /**
   * Number of the last look. An answer to an earlier one is out of date: the lease may have been another container's
   * since.
   */
  readonly look: number
}

/**
 * `prepare`: the lease is ours; give the files to the runtime user, then try whether that user can write. `ready`: the
 * same before the counter decides, where nothing can be counted otherwise. `try`: only try.
 */
export type Look = 'prepare' | 'ready' | 'try'

export type GateEvent =
  /**
   * The result of locking. `opened` false: run.lease cannot even be opened, so perhaps the volume cannot be written.
   * `made`: it was not there, so no other container uses the volume.
   */
  | { readonly type: 'lease'; readonly state: LeaseState; readonly opened: boolean; readonly made?: boolean }
  /** run.lease is a new file, which is locked and empty: the one before was deleted or replaced. */
  | { readonly type: 'renewed' }
  /** Result of the supervisor's counter. `unwritable`: the lease is free, but the counter cannot write its claim. */
  | { readonly type: 'counted'; readonly state: 'taken' | 'lost' | 'unwritable' }
  /** Answer to `look`; `problem`: why the volume cannot be used. */
  | { readonly type: 'looked'; readonly look: number; readonly problem?: string }
  | { readonly type: 'hooks-done' }
  | { readonly type: 'supervisor-ended' }
  | { readonly type: 'stop' }

export type GateEffect =
  | { readonly type: 'look'; readonly look: number; readonly what: Look }
  /** To the supervisor. */
  | { readonly type: 'send'; readonly message: Extract<ToSupervisor, { type: 'lease' | 'begin' }> }
  /** Warn that the gateways wait, and for what. */
  | { readonly type: 'warn-busy' }
  /** End the container. */
  | { readonly type: 'end'; readonly why: string }

export type GateStep = readonly [Gate, ...GateEffect[]]

/** Before the first look at the lock. */
export const newGate: Gate = { at: 'waiting', lease: 'unknown', hooksDone: false, everPrepared: false, look: 0 }

/**
 * What `welcome` tells a supervisor that comes later. Where the counter decides, each supervisor counts before it
 * begins.
 */
export const hasBegun = (gate: Gate): boolean =>
  (gate.at === 'begun' || (gate.at === 'stopped' && gate.begun)) && (gate.lease === 'held' || gate.lease === 'none')

/** @returns the gate after the event, and the effects in the order in which they must be performed */
export function stepGate(gate: Gate, event: GateEvent): GateStep {
  if (gate.at === 'stopped') return [event.type === 'lease' ? { ...gate, lease: event.state } : gate]
  switch (event.type) {
    case 'lease':
      return leaseIs(gate, event)
    case 'renewed':
      // The volume is as ready as it was. The supervisor signs the new file.
      return gate.lease === 'held' ? [gate, sendLease('held')] : [gate]
    case 'counted':
      if (gate.lease !== 'unsupported') return [gate]
      // Files of an earlier runtime user: no container holds them, so they may be given away before the claim.
      if (event.state === 'unwritable')
        return gate.at === 'waiting' && !gate.everPrepared ? lookAt(gate, 'ready') : [gate]
      if (event.state === 'lost') return [{ ...factsOf(gate), at: 'waiting' }]
      return gate.everPrepared ? pass(gate) : lookAt(gate, 'prepare')
    case 'looked':
      return gate.at === 'looking' && gate.look === event.look ? looked(gate, gate.what, event.problem) : [gate]
    case 'hooks-done': {
      const next = { ...gate, hooksDone: true }
      return gate.at === 'prepared' ? pass(next) : [next]
    }
    case 'supervisor-ended':
      return [gate.lease === 'unsupported' ? { ...factsOf(gate), at: 'waiting' } : gate]
    case 'stop':
      return [{ ...factsOf(gate), at: 'stopped', begun: gate.at === 'begun' }]
  }
}

function leaseIs(gate: Gate, { state, opened, made }: Extract<GateEvent, { type: 'lease' }>): GateStep {
  const next: Gate = { ...factsOf(gate), lease: state, at: 'waiting' }
  switch (state) {
    case 'busy':
      return [next, { type: 'warn-busy' }, sendLease(state)]
    case 'held':
    case 'none':
      return lookAt(next, 'prepare')
    case 'unsupported':
      // The supervisor's counter decides, if anything can be written at all. In a volume that is not the runtime user's
      // yet, it can neither read nor write.
      if (made === true) return lookAt(next, 'ready')
      return opened ? [next, sendLease(state)] : lookAt(next, 'try')
  }
}

function lookAt(gate: Gate, what: Look): GateStep {
  const look = gate.look + 1
  return [
    { ...factsOf(gate), look, at: 'looking', what },
    { type: 'look', look, what },
  ]
}

function looked(gate: Gate, what: Look, problem: string | undefined): GateStep {
  // The supervisor hears of the lease only now: it signs run.lease then, which the repair may have to make possible.
  const { lease } = gate
  const sends = lease !== 'unknown' && (lease !== 'unsupported' || what !== 'prepare') ? [sendLease(lease)] : []
  if (problem !== undefined) return [{ ...factsOf(gate), at: 'unusable' }, { type: 'end', why: problem }, ...sends]
  if (what === 'try') return [{ ...factsOf(gate), at: 'waiting' }, ...sends]
  if (what === 'ready') return [{ ...factsOf(gate), everPrepared: true, at: 'waiting' }, ...sends]
  const [next, ...effects] = pass({ ...gate, everPrepared: true })
  return [next, ...sends, ...effects]
}

/** The lease is ours and the volume can be written. */
const pass = (gate: Gate): GateStep =>
  gate.hooksDone
    ? [
        { ...factsOf(gate), at: 'begun' },
        { type: 'send', message: { type: 'begin' } },
      ]
    : [{ ...factsOf(gate), at: 'prepared' }]

const sendLease = (state: LeaseState): GateEffect => ({ type: 'send', message: { type: 'lease', state } })

const factsOf = ({ lease, hooksDone, everPrepared, look }: Gate): GateFacts => ({
  lease,
  hooksDone,
  everPrepared,
  look,
})
