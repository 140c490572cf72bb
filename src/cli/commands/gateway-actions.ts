/**
 * `gateway start`, `stop` and `restart`. Scripts run them all day, so they are loaded without the command parser
 * (frequent.ts).
 */
import type { ControlClient } from '../../control/client.ts'
import { type ActionOptions, SLOT_ACTIONS, wholeStatus, withSupervisor } from '../../control/slot-actions.ts'
import type { ActionResult } from '../../protocol/control.ts'
import { stateWords } from '../../protocol/state-words.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { gatewaySlot, profileOfSlot } from '../../system/paths.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import type { Context } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'
import { durationText, stateText } from '../view/slots-view.ts'

export type Verb = keyof typeof SLOT_ACTIONS

export const isVerb = (word: string | undefined): word is Verb =>
  word !== undefined && Object.hasOwn(SLOT_ACTIONS, word)

/**
 * Acts on the gateways of these profiles, which exist.
 * @throws HermesError the supervisor's refusal, of a single one; failures of several are in the outcome
 */
export async function actOnGateways(
  context: Context,
  verb: Verb,
  profiles: readonly string[],
  options: ActionOptions,
): Promise<Outcome> {
  const [name = ''] = profiles
  if (profiles.length > 1) return withSupervisor(context, (client) => atOnce(context, client, verb, options, profiles))
  const startedAtMs = context.clock.nowMs()
  const result = await withSupervisor(context, (client) =>
    sayingFirstDeath(context, client, gatewaySlot(name), verb, options, () =>
      SLOT_ACTIONS[verb](context, client, name, options),
    ),
  )
  return { text: `${resultLine(verb, result, context.clock.nowMs() - startedAtMs)}\n`, json: result }
}

/** Acts on the gateway of every profile that has a slot; failures are in the outcome. */
export const actOnEveryGateway = (context: Context, verb: Verb, options: ActionOptions): Promise<Outcome> =>
  withSupervisor(context, async (client) => {
    const { slots } = await wholeStatus(client)
    return atOnce(
      context,
      client,
      verb,
      options,
      slots.flatMap(({ slot }) => profileOfSlot(slot) ?? []),
    )
  })

/** Reports the first death of the slot while the command waits for its start: the cause may be plain from it. */
async function sayingFirstDeath<T>(
  { json, output }: Context,
  client: ControlClient,
  slot: string,
  verb: Verb,
  { wait }: ActionOptions,
  act: () => Promise<T>,
): Promise<T> {
  if (verb === 'stop' || !wait || json) return act()
  const over = new AbortController()
  const listening = Promise.withResolvers<void>()
  const watch = async (): Promise<void> => {
    for await (const event of client.follow('events', {}, { signal: over.signal, onStart: listening.resolve })) {
      const { state, reason } = event.slot
      if (event.slot.slot !== slot || state !== 'backoff') continue
      output.err(`hermes: ${slot}: ${reason}. Hermes tries again (log: ${slotCommands(slot).logs})\n`)
      return
    }
  }
  // A start works without the events; if the supervisor has a problem, the start itself reports it.
  const watching = watch().catch(() => listening.resolve())
  await listening.promise
  try {
    return await act()
  } finally {
    over.abort()
    await watching
  }
}

/** `gateway-coder: up, pid 312 (1.2 s)` */
export function resultLine(verb: Verb, { changed, slot }: ActionResult, tookMs: number): string {
  const pid = slot.pid === undefined ? '' : `, pid ${slot.pid}`
  const words = slot.state === 'backoff' ? stateWords(slot.state) : stateText(slot)
  if (!changed && verb !== 'restart') return `${slot.slot}: ${words} already${pid}`
  return `${slot.slot}: ${words}${pid} (${durationText(tookMs)})`
}

/** Acts on these profiles at once; a failure of one does not stop the others. */
async function atOnce(
  context: Context,
  client: ControlClient,
  verb: Verb,
  options: ActionOptions,
  profiles: readonly string[],
): Promise<Outcome> {
  const startedAtMs = context.clock.nowMs()
  const results = await Promise.all(
    profiles.map(async (profile) => {
      const slot = gatewaySlot(profile)
      try {
        const result = await SLOT_ACTIONS[verb](context, client, profile, options)
        return { slot, ok: true, text: resultLine(verb, result, context.clock.nowMs() - startedAtMs), result }
      } catch (error) {
        if (!(error instanceof HermesError)) throw error
        return {
          slot,
          ok: false,
          text: `${slot}: ${error.message}`,
          error: { code: error.code, message: error.message },
        }
      }
    }),
  )
  return {
    text: results.map(({ text }) => `${text}\n`).join(''),
    json: results.map(({ text: _, ...rest }) => rest),
    exitCode: results.every(({ ok }) => ok) ? EXIT.done : EXIT.failed,
  }
}
