import { connectControl } from '../control/client.ts'
import { pause } from '../system/clock.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { gatewaySlot } from '../system/paths.ts'
import type { GatewayFacts } from './facts.ts'
import { stopRequested } from './signals.ts'
import { waitAsShell } from './wait-as-shell.ts'

const RETRY_MS = 500
/** A slot of a profile that is on disk appears at the first reconcile; longer than this means it was refused. */
const NO_SLOT_AFTER_MS = 30_000

/**
 * Runs `gateway run` as the container's main program: the gateway runs supervised in its slot, and this process only
 * keeps the container alive until it is stopped, as a shell.
 * @returns 0 after TERM
 * @throws HermesError when the supervisor refuses for good
 */
export async function redirectToSupervisor(facts: GatewayFacts): Promise<number> {
  const stopped = stopRequested(facts.clock)
  const asking = new AbortController()
  try {
    const started = await Promise.race([startSlot(facts, asking.signal), stopped.first.then(() => false)])
    if (started) {
      facts.err(supervisedText(facts.profile))
      if (await Promise.race([needsAgent(facts), stopped.first.then(() => false)]))
        facts.err('hermes: no agent configured; next: hermes setup\n')
      await waitAsShell(stopped)
    }
    await stopped.first
    return EXIT.done
  } finally {
    stopped.forget()
    // Stopped while still asking: a pending request would keep this process alive.
    asking.abort()
  }
}

const supervisedText = (profile: string): string =>
  `hermes: the gateway of "${profile}" now runs under supervision in the slot ${gatewaySlot(profile)} (s6 supervision): it is restarted when it dies, and the container outlives it
hermes: to make it the container's own process instead: gateway run --no-supervise, or HERMES_GATEWAY_NO_SUPERVISE=1
`

/**
 * Repeats the request until it is answered: at boot the slots do not exist yet, and another container may hold the
 * volume for hours.
 */
async function startSlot(facts: GatewayFacts, signal: AbortSignal): Promise<boolean> {
  const { clock } = facts
  const giveUpAtMs = clock.nowMs() + NO_SLOT_AFTER_MS
  let reported = false
  for (;;) {
    try {
      await ask(facts, signal)
      return true
    } catch (error) {
      if (signal.aborted) return false
      if (!(error instanceof HermesError) || !isPassing(error, clock.nowMs() < giveUpAtMs)) throw error
      if (error.code === 'STOPPING') return false
      if (error.code === 'VOLUME_BUSY' && !reported) {
        reported = true
        facts.err(`hermes: ${error.message}; the gateway of "${facts.profile}" starts when it is free\n`)
      }
    }
    await pause(clock, RETRY_MS, signal)
  }
}

async function ask(facts: GatewayFacts, signal: AbortSignal): Promise<void> {
  const client = await connectControl(facts.controlSocket, facts.clock)
  const giveUp = (): void => client.close()
  signal.addEventListener('abort', giveUp)
  try {
    signal.throwIfAborted() // while it connected; the event is not heard any more
    await client.request('start', { slot: gatewaySlot(facts.profile), wait: false }, { timeoutMs: NO_SLOT_AFTER_MS })
  } finally {
    signal.removeEventListener('abort', giveUp)
    client.close()
  }
}

/** Tells whether no agent is configured. Only advice: without an answer from the supervisor, no advice is printed. */
async function needsAgent({ controlSocket, clock }: GatewayFacts): Promise<boolean> {
  try {
    const client = await connectControl(controlSocket, clock)
    try {
      return (await client.request('status', {})).needsAgent === true
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof HermesError) return false
    throw error
  }
}

/** Errors that time heals: `FAILED` and `NO_SUPERVISOR` are a supervisor that is being restarted. */
const isPassing = ({ code }: HermesError, early: boolean): boolean =>
  code === 'VOLUME_BUSY' ||
  code === 'STOPPING' ||
  (early && ['NO_SUCH_SLOT', 'NO_SUPERVISOR', 'TIMED_OUT', 'FAILED'].includes(code))
