/**
 * Requests of operators' commands to the supervisor, including the waiting; used by the command line and the
 * dashboard.
 */
import { loadConfig } from '../profile/config/config.ts'
import { type ActionResult, MAX_WAIT_MS, type SlotStatus, type StatusResult } from '../protocol/control.ts'
import { volumeUserText } from '../protocol/volume-user.ts'
import type { Clock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import { gatewaySlot, profileDir } from '../system/paths.ts'
import type { ControlClient } from './client.ts'

/** Home of the profiles, and a clock. */
export interface Place {
  readonly home: string
  readonly clock: Clock
}

export interface Supervised extends Place {
  /** @throws HermesError NO_SUPERVISOR */
  connect(): Promise<ControlClient>
}

/** Runs `use` with a connection that is closed afterwards, whatever happens. @throws HermesError NO_SUPERVISOR */
export async function withSupervisor<T>(
  { connect }: Pick<Supervised, 'connect'>,
  use: (client: ControlClient) => Promise<T>,
): Promise<T> {
  const client = await connect()
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Runs `use` when a supervisor answers. @returns undefined when none does */
export async function ifSupervised<T>(
  { connect }: Pick<Supervised, 'connect'>,
  use: (client: ControlClient) => Promise<T>,
): Promise<T | undefined> {
  let connected = false
  try {
    return await withSupervisor({ connect }, (client) => {
      connected = true
      return use(client)
    })
  } catch (error) {
    if (!connected && error instanceof HermesError && error.code === 'NO_SUPERVISOR') return undefined
    throw error
  }
}

/** Longer than the supervisor waits for the end of the boot. */
const BOOT_MS = 95_000

/**
 * The status, with all slots: it waits for the end of the boot, and an empty list means that there are none.
 * @throws HermesError VOLUME_BUSY, STOPPING, TIMED_OUT: why the slots are not there
 */
export async function wholeStatus(client: ControlClient): Promise<StatusResult> {
  const status = await client.request('status', {})
  if (status.phase === 'running') return status
  // It waits as long as an action does, and fails for the same reasons.
  await client.request('reconcile', {}, { timeoutMs: BOOT_MS })
  return client.request('status', {})
}

export interface ActionOptions {
  readonly timeoutMs?: number
  readonly wait?: boolean
  /** As in SlotAction: leaves desired_state unchanged. */
  readonly keepDesired?: boolean
}

/** Added to what the supervisor is given, so that its own, better answer comes first. */
const REPLY_SLACK_MS = 5000
/** Beyond what the slot itself is allowed. */
const WAIT_SLACK_MS = 5000

export const startSlot = (
  place: Place,
  client: ControlClient,
  profile: string,
  options: ActionOptions,
): Promise<ActionResult> => act(client, 'start', gatewaySlot(profile), options, allowance(place, profile).startMs)

export const stopSlot = (
  place: Place,
  client: ControlClient,
  profile: string,
  options: ActionOptions,
): Promise<ActionResult> => act(client, 'stop', gatewaySlot(profile), options, allowance(place, profile).stopMs)

export const restartSlot = (
  place: Place,
  client: ControlClient,
  profile: string,
  options: ActionOptions,
): Promise<ActionResult> => {
  const { startMs, stopMs } = allowance(place, profile)
  return act(client, 'restart', gatewaySlot(profile), options, startMs + stopMs)
}

/** How each action is carried out, by its name. */
export const SLOT_ACTIONS = { start: startSlot, stop: stopSlot, restart: restartSlot } as const

/** Time that the profile's own settings allow for an action. */
function allowance({ home }: Place, profile: string): { startMs: number; stopMs: number } {
  const { gateway } = loadConfig(`${profileDir(home, profile)}/config.yaml`).config
  return {
    startMs: Math.max(gateway.startTimeoutMs, gateway.readyAfterMs) + WAIT_SLACK_MS,
    stopMs: gateway.stopTimeoutMs + WAIT_SLACK_MS,
  }
}

/** @param ownMs time that the slot itself may take, used if no timeout is given */
export function act(
  client: ControlClient,
  op: 'start' | 'stop' | 'restart',
  slot: string,
  options: ActionOptions,
  ownMs: number,
): Promise<ActionResult> {
  // A slot may be given more time than a client may wait.
  const timeoutMs = Math.min(options.timeoutMs ?? ownMs, MAX_WAIT_MS)
  const { wait = true, keepDesired = false } = options
  const request = { slot, wait, timeoutMs, ...(keepDesired && { keepDesired }) }
  return client.request(op, request, { timeoutMs: timeoutMs + REPLY_SLACK_MS })
}

const REGISTER_TIMEOUT_MS = 15_000

/**
 * The slot of a profile that has just been made or renamed. @throws HermesError VOLUME_BUSY, NO_SUCH_SLOT, TIMED_OUT
 */
export async function registerSlot(client: ControlClient, key: string): Promise<SlotStatus> {
  const answer = await ifKnown(settle(client, 'register', key))
  if (answer !== undefined) return answer.slot
  await client.request('reconcile', {})
  const status = await client.request('status', {})
  const found = status.slots.find(({ slot }) => slot === key)
  if (found === undefined) throw noSuchSlot(key, status)
  return found
}

/** Waits until the slot of a removed profile is gone. @throws HermesError VOLUME_BUSY, REFUSED, TIMED_OUT */
export async function unregisterSlot(client: ControlClient, key: string): Promise<void> {
  const answer = await ifKnown(settle(client, 'unregister', key))
  if (answer === undefined) await client.request('reconcile', {})
}

const settle = <O extends 'register' | 'unregister'>(client: ControlClient, op: O, slot: string) => {
  const timeoutMs = REGISTER_TIMEOUT_MS
  return client.request(op, { slot, timeoutMs }, { timeoutMs: timeoutMs + REPLY_SLACK_MS })
}

/** @returns undefined from an older supervisor, which does not know the operation */
async function ifKnown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof HermesError && error.code === 'BAD_REQUEST') return undefined
    throw error
  }
}

export const noSuchSlot = (
  key: string,
  { phase, holderHost }: Pick<StatusResult, 'phase' | 'holderHost'>,
): HermesError => {
  const why = phase === 'waiting' ? `; the gateways wait: ${volumeUserText(holderHost)}` : ''
  return new HermesError('NO_SUCH_SLOT', `no slot "${key}"${why}`, { next: 'hermes status lists the slots' })
}
