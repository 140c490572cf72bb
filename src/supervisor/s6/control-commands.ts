/** Meaning of each command of s6-svc and s6-svscanctl (docs/s6.md). Pure. */

import type { Slot, SlotEvent } from '../../slot/slot.ts'
import type { SignalName } from '../../system/signals.ts'
import { phaseOf } from './view.ts'

export type CommandAction =
  /** For this boot only. */
  | { readonly type: 'event'; readonly event: SlotEvent }
  /** Written down, so that the next boot knows it. */
  | { readonly type: 'desired'; readonly state: 'running' | 'stopped' }
  | { readonly type: 'signal'; readonly signal: SignalName; readonly target: 'process' | 'group' }
  /** As if its own s6-supervise ended when it is down, and s6-svscan started another. */
  | { readonly type: 'renew' }

const signals: Readonly<Record<string, SignalName>> = {
  a: 'ALRM',
  b: 'ABRT',
  q: 'QUIT',
  h: 'HUP',
  k: 'KILL',
  t: 'TERM',
  i: 'INT',
  1: 'USR1',
  2: 'USR2',
  y: 'WINCH',
  p: 'STOP',
  c: 'CONT',
  l: 'HUP',
}
const groupSignals: Readonly<Record<string, SignalName>> = { P: 'STOP', C: 'CONT', K: 'KILL' }

const event = (event: SlotEvent): CommandAction => ({ type: 'event', event })
const want = (wanted: Slot['wanted']): CommandAction => event({ type: 'want', wanted })

/** @returns [] for a command that means nothing here, or nothing now */
export function commandActions(command: string, slot: Slot): readonly CommandAction[] {
  switch (command) {
    case 'u':
      return [want('up')]
    case 'd':
      return [want('down')]
    case 'o':
      return [want(isEnding(slot) ? 'down' : 'once')]
    case 'O':
      return [unwanted(slot)]
    case 'U':
      return [{ type: 'desired', state: 'running' }, want('up')]
    case 'D':
      return [{ type: 'desired', state: 'stopped' }, want('down')]
    case 'Q':
      return [{ type: 'desired', state: 'stopped' }, unwanted(slot)]
    case 'r':
      return again(slot)
    case 'x':
      return [{ type: 'renew' }]
  }
  if (phaseOf(slot) !== 'up') return [] // the finish program gets no signals from here, as in s6
  const signal = signals[command]
  if (signal !== undefined) return [{ type: 'signal', signal, target: 'process' }]
  const groupSignal = groupSignals[command]
  return groupSignal === undefined ? [] : [{ type: 'signal', signal: groupSignal, target: 'group' }]
}

/** Being stopped, or finishing: "once" is over. */
const isEnding = (slot: Slot): boolean => slot.state === 'stopping'

/** "Do not restart": for a running slot; a slot that is not running is set to down. */
const unwanted = (slot: Slot): CommandAction => want(slot.state === 'starting' || slot.state === 'up' ? 'once' : 'down')

function again(slot: Slot): readonly CommandAction[] {
  if (phaseOf(slot) !== 'up') return []
  // A slot that should not be up, or is already ending, gets only the signal.
  return slot.wanted === 'up' && !isEnding(slot)
    ? [event({ type: 'restart' })]
    : [{ type: 'signal', signal: slot.policy.stopSignal, target: 'process' }]
}

/** `prune` is part of `reconcile` here: slots without a profile are removed at every look at the disk. */
export type ScanAction = 'reconcile' | 'stop' | 'end-supervisor'

/** @returns undefined: nothing to do; null: no command of s6-svscanctl */
export function scanAction(command: string): ScanAction | undefined | null {
  switch (command) {
    case 'a':
    case 'h':
    case 'n':
    case 'N':
      return 'reconcile'
    case 't':
    case 'q':
    case 'i':
      return 'stop'
    case 'b':
      return 'end-supervisor'
    case 'z':
      return undefined // init reaps by itself
    default:
      return null
  }
}
