import { connectControl } from '../control/client.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { gatewaySlot } from '../system/paths.ts'
import type { GatewayFacts } from './facts.ts'
import { stopRequested } from './signals.ts'

const RETRY_MS = 500
/** A slot of a profile that is on disk appears at the first reconcile; longer than this means it was refused. */
const NO_SLOT_AFTER_MS = 30_000

/**
 * `gateway run` as the container's main program: the gateway runs in its slot, supervised, and this process only keeps the
 * container alive until it is stopped.
 * @returns 0 after TERM
 * @throws HermesError when the supervisor refuses for good
 */
export async function redirectToSupervisor(facts: GatewayFacts): Promise<number> {
  const stopped = stopRequested(facts.clock)
  try {
    const started = await Promise.race([startSlot(facts), stopped.first.then(() => false)])
    if (started) facts.err(supervisedText(facts.profile))
    await stopped.first
    return EXIT.done
  } finally {
    stopped.forget()
  }
}

const supervisedText = (profile: string): string =>
  `hermes: the gateway of "${profile}" now runs under supervision, in the slot ${gatewaySlot(profile)}: it comes back when it dies, and the container outlives it
hermes: to make it the container's own process instead: gateway run --no-supervise, or HERMES_GATEWAY_NO_SUPERVISE=1
`

/** Asks until it is answered: at boot the slots are not there yet, and another container may hold the volume for hours. */
async function startSlot(facts: GatewayFacts): Promise<boolean> {
  const { clock } = facts
  const giveUpAtMs = clock.nowMs() + NO_SLOT_AFTER_MS
  let told = false
  for (;;) {
    try {
      await ask(facts)
      return true
    } catch (error) {
      if (!(error instanceof HermesError) || !isPassing(error, clock.nowMs() < giveUpAtMs)) throw error
      if (error.code === 'STOPPING') return false
      if (error.code === 'VOLUME_BUSY' && !told) {
        told = true
        facts.err(`hermes: ${error.message}; the gateway of "${facts.profile}" starts when it is free\n`)
      }
    }
    await new Promise<void>((resolve) => clock.at(clock.nowMs() + RETRY_MS, resolve))
  }
}

async function ask(facts: GatewayFacts): Promise<void> {
  const client = await connectControl(facts.controlSocket, facts.clock)
  try {
    await client.request('start', { slot: gatewaySlot(facts.profile), wait: false }, { timeoutMs: NO_SLOT_AFTER_MS })
  } finally {
    client.close()
  }
}

/** Errors that time heals: `FAILED` and `NO_SUPERVISOR` are a supervisor that is being restarted. */
const isPassing = ({ code }: HermesError, early: boolean): boolean =>
  code === 'VOLUME_BUSY' ||
  code === 'STOPPING' ||
  (early && ['NO_SUCH_SLOT', 'NO_SUPERVISOR', 'TIMED_OUT', 'FAILED'].includes(code))
