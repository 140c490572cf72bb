/**
 * The commands that scripts and health checks run all day. They answer without the command parser and without YAML, so
 * they cost little more than Node itself.
 */

import { noSuchSlot, withSupervisor } from '../../control/slot-actions.ts'
import type { SlotStatus, StatusResult } from '../../protocol/control.ts'
import { isSlotKey } from '../../protocol/init.ts'
import { stateWords } from '../../protocol/state-words.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../../protocol/volume-user.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { gatewaySlot, isGatewaySlot } from '../../system/paths.ts'
import { readBuildInfo } from '../../system/programs/build-info.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { Context } from '../context/context.ts'
import { stateColours } from '../context/state-colours.ts'
import { hostWarnings } from '../context/warnings.ts'
import type { Outcome } from '../terminal/output.ts'
import { wantsColours } from '../terminal/paint.ts'
import { isBetweenRuns, managerLine, slotDetails, slotsTable } from '../view/slots-view.ts'
import { actOnEveryGateway, actOnGateways, isVerb } from './gateway-actions.ts'

declare const HERMES_VERSION: string

/** Time limit for a health check. Docker's default is 30 s. */
const HEALTH_TIMEOUT_MS = 5000

export type FrequentCommand = (context: Context) => Promise<Outcome> | Outcome

/**
 * Finds the command if the arguments are exactly one of the frequent commands.
 * @param args without `-p` and `--json`
 * @returns undefined if the whole command line must handle the arguments
 */
export function frequentCommand(args: readonly string[]): FrequentCommand | undefined {
  const [first, second, third] = args
  const line = args.join(' ')
  if (line === 'version') return version
  if (line === '--version' || line === '-V') return () => ({ text: `hermes ${hermesVersion()}\n` })
  if (line === 'gateway status') return (context) => gatewayStatus(context, { all: false })
  if (line === 'gateway status --all') return (context) => gatewayStatus(context, { all: true })
  if (line === 'status') return status
  if (line === 'healthcheck') return healthcheck
  if (first === 'healthcheck' && second === '--ready' && args.length <= 3 && !third?.startsWith('-')) {
    return (context) => readiness(context, third ?? context.requestedProfile)
  }
  if (first === 'gateway' && isVerb(second)) {
    if (args.length === 2) return (context) => actOnGateways(context, second, [context.profile().name], {})
    if (args.length === 3 && third === '--all') return (context) => actOnEveryGateway(context, second, {})
  }
  return undefined
}

/** The version set by the build; undefined when running from source. */
export const hermesVersion = (): string => (typeof HERMES_VERSION === 'string' ? HERMES_VERSION : '0.0.0')

export function version(context: Context): Outcome {
  const build = readBuildInfo(context.install)
  const json = { version: hermesVersion(), ...build, node: process.versions.node, install: context.install }
  if (build === undefined) return { text: `hermes ${json.version}\n`, json }
  const rows = [
    ['revision', build.revision],
    ['built', build.builtAt],
    ...(build.baseImage === null ? [] : [['base image', build.baseImage]]),
  ]
  return {
    text: `hermes ${json.version}\n${rows.map(([name = '', text]) => `  ${name.padEnd(11)}${text}\n`).join('')}`,
    json,
  }
}

const colours = ({ env }: Context, slots: readonly SlotStatus[]): Pick<Outcome, 'paint'> =>
  wantsColours(env) ? { paint: stateColours(slots) } : {}

export const statusOf = (context: Context, slot?: string, timeoutMs = 10_000): Promise<StatusResult> =>
  withSupervisor(context, (client) => client.request('status', slot === undefined ? {} : { slot }, { timeoutMs }))

/**
 * Exit code 0 up or between two scheduled runs, 3 no such, 4 no supervisor, 1 otherwise; with `--all` 0 when every
 * wanted gateway is up.
 * @param profile default: the one this command is about
 */
export async function gatewayStatus(
  context: Context,
  { all, profile }: { all: boolean; profile?: string | undefined },
): Promise<Outcome> {
  const wallMs = context.clock.wallMs()
  if (all) {
    const result = await statusOf(context)
    const slots = result.slots.filter(isGatewaySlot)
    const { phase } = result
    const isBehind = (slot: SlotStatus): boolean =>
      slot.wanted !== 'down' && slot.state !== 'up' && !isBetweenRuns(slot)
    const behind = phase !== 'running' || slots.some(isBehind)
    return {
      text: `${managerLine(result)}\n${phaseText(result)}${slotsTable(slots, wallMs)}`,
      ...colours(context, slots),
      json: slots,
      exitCode: behind ? EXIT.failed : EXIT.done,
    }
  }
  const slot = gatewaySlot(profile ?? context.profile().name)
  return slotStatus(context, slot, slotCommands(slot).start)
}

/** One slot in full. @throws HermesError NO_SUCH_SLOT */
export async function slotStatus(context: Context, key: string, next: string): Promise<Outcome> {
  const result = await statusOf(context, key)
  const slot = result.slots.find((one) => one.slot === key)
  if (!slot) throw noSuchSlot(key, result)
  // A start that is under way needs none; the log has what it waits for, or dies of.
  const step = slot.state === 'starting' || slot.state === 'backoff' ? slotCommands(key).logs : next
  const isWell = slot.ready || isBetweenRuns(slot)
  const text = `${managerLine(result)}\n${slotDetails(slot, context.clock.wallMs())}${isWell ? '' : `  ${'next'.padEnd(11)}${step}\n`}`
  return { text, ...colours(context, [slot]), json: slot, exitCode: isWell ? EXIT.done : EXIT.failed }
}

export async function status(context: Context): Promise<Outcome> {
  const result = await statusOf(context)
  const warnings = [...result.warnings, ...hostWarnings(context, result.slots)]
  const { manager, version: supervisor, pid1, identity, phase, holder, slots, needsAgent = false } = result
  const text = [
    `${managerLine(result)}\n`,
    phaseText(result),
    '\n',
    slots.length === 0 ? 'no slots\n' : slotsTable(slots, context.clock.wallMs()),
    warnings.length === 0 ? '' : `\n${warnings.map((warning) => `warning: ${oneLine(warning)}\n`).join('')}`,
    needsAgent ? '\nno agent configured; next: hermes setup\n' : '',
  ].join('')
  const rest = { phase, ...(holder === undefined ? {} : { holder }), needsAgent }
  const build = readBuildInfo(context.install)
  return {
    text,
    ...colours(context, slots),
    json: {
      manager,
      version: supervisor,
      ...(build === undefined ? {} : { build }),
      pid1,
      identity,
      ...rest,
      slots,
      warnings,
    },
  }
}

function phaseText({ phase, holderHost }: Pick<StatusResult, 'phase' | 'holderHost'>): string {
  if (phase === 'running') return ''
  if (phase !== 'waiting') return `Phase: ${phase}\n`
  return `Waiting: ${volumeUserText(holderHost)}. ${FREE_THE_VOLUME}\n`
}

/** Liveness: the supervisor, and init through which it is reached, answer. */
export async function healthcheck(context: Context): Promise<Outcome> {
  try {
    const { instance, pid } = await withSupervisor(context, (client) =>
      client.request('ping', {}, { timeoutMs: HEALTH_TIMEOUT_MS }),
    )
    return { text: `healthy: the supervisor (pid ${pid}) answers\n`, json: { healthy: true, instance, pid } }
  } catch (error) {
    return unhealthy(error)
  }
}

/** A failing check is an answer, not an error: exit code 1, also without a supervisor (HEALTHCHECK knows no other). */
function unhealthy(error: unknown): Outcome {
  if (!(error instanceof HermesError)) throw error
  return {
    text: `unhealthy: ${error.message}\n`,
    json: { healthy: false, problems: [error.message] },
    exitCode: EXIT.failed,
  }
}

/**
 * Readiness: every wanted gateway, or the one named, is up or still within its start time. The supervisor ends
 * `starting` at start_timeout, so being in it is being within it.
 */
export async function readiness(context: Context, profile: string | undefined): Promise<Outcome> {
  let result: StatusResult
  try {
    result = await statusOf(context, undefined, HEALTH_TIMEOUT_MS)
  } catch (error) {
    return unhealthy(error)
  }
  const problems = readinessProblems(result, profile)
  if (problems.length === 0) return { text: 'ready\n', json: { healthy: true } }
  return {
    text: problems.map((problem) => `not ready: ${problem}\n`).join(''),
    json: { healthy: false, problems },
    exitCode: EXIT.failed,
  }
}

export function readinessProblems(
  result: Pick<StatusResult, 'phase' | 'holderHost' | 'slots'>,
  profile: string | undefined,
): readonly string[] {
  if (result.phase !== 'running')
    return [
      `the supervisor is ${result.phase}${result.phase === 'waiting' ? `: ${volumeUserText(result.holderHost)}` : ''}`,
    ]
  const key = profile === undefined ? undefined : gatewaySlot(profile.trim().toLowerCase())
  const slots = result.slots.filter(
    (slot) => isGatewaySlot(slot) && (key === undefined ? slot.wanted !== 'down' : slot.slot === key),
  )
  if (key !== undefined && slots.length === 0)
    return [isSlotKey(key) ? `no slot "${key}"` : `${JSON.stringify(profile)} is not a profile`]
  const isAsItShould = (slot: SlotStatus): boolean =>
    slot.state === 'up' || slot.state === 'starting' || isBetweenRuns(slot)
  return slots.filter((slot) => !isAsItShould(slot)).map(notReadyText)
}

const notReadyText = (slot: SlotStatus): string =>
  `${slot.slot} is ${stateWords(slot.state)}${slot.reason === undefined ? '' : `: ${slot.reason}`}`
