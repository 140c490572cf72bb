import { noSuchSlot } from '../../control/slot-actions.ts'
import { remainderOf, remainderText } from '../../profile/directory/remainders.ts'
import type { StatusResult } from '../../protocol/control.ts'
import { EXIT } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import type { Command } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { endedBy, type Outcome, shownText } from '../terminal/output.ts'
import { requireScreen } from '../terminal/screen.ts'
import { isBetweenRuns } from '../view/slots-view.ts'
import { whyText } from '../view/why-view.ts'
import { healthcheck, readiness, status, statusOf, version } from './frequent.ts'

async function watchStatus(context: Context): Promise<Outcome> {
  requireScreen('hermes status --watch', context.env, 'without --watch it prints once')
  const { runWatch } = await import('../top/program.ts')
  return endedBy(await runWatch(context, async () => shownText(await status(context))))
}

/** Describes the frequent commands for the parser, the help and the reference. */
export const BASIC_COMMANDS: readonly Command[] = [
  {
    path: 'status',
    summary: 'Show the supervisor, every slot and current problems',
    options: [{ long: '--watch', help: 'show it again every second, on a terminal, until q' }],
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: (context, { options }) => (options.watch === true ? watchStatus(context) : status(context)),
  },
  {
    path: 'why',
    summary: 'Show in one sentence what a gateway or a service does, and why',
    arguments: [
      {
        name: 'NAME',
        help: 'name of the profile or service; default: the profile of -p',
        kind: 'optional',
        completes: 'slots',
      },
    ],
    details: 'With gateway.liveness the sentence contains what its checks have seen.',
    exits: {
      0: 'it does what it should',
      1: 'it does not',
      [EXIT.noSuch]: 'no such profile or slot',
      [EXIT.noSupervisor]: 'the supervisor is not running',
    },
    run: (context, { args: [name] }) => why(context, name),
  },
  {
    path: 'healthcheck',
    summary: 'Check that the supervisor answers; with --ready, that the gateways are up',
    options: [
      {
        long: '--ready',
        value: '[NAME]',
        completes: 'profiles',
        help: 'check that every gateway that should run, or only that of NAME, is up or still within its start time',
      },
    ],
    details: 'Helper slots such as the dashboard are not checked.',
    exits: { 0: 'healthy', 1: 'not healthy, or the supervisor is not running' },
    run: (context, input) => {
      const { ready } = input.options
      return ready === undefined
        ? healthcheck(context)
        : readiness(context, ready === true ? context.requestedProfile : ready)
    },
  },
  { path: 'version', summary: 'Print the version of hermes, its revision, build date and base image', run: version },
]

/** @throws HermesError NO_SUCH_SLOT */
function whyNoSlot({ home }: Context, name: string, result: StatusResult): Outcome {
  const remainder = remainderOf(home, name)
  if (remainder === undefined) throw noSuchSlot(gatewaySlot(name), result)
  const { text, next } = remainderText(remainder)
  const line = `${name} has no gateway here: ${text}; next: ${next}.`
  return {
    text: `${line}\n`,
    json: { profile: name, [remainder.state]: remainder.dir, why: line },
    exitCode: EXIT.failed,
  }
}

/** @throws HermesError NO_SUCH_SLOT */
async function why(context: Context, name = context.profile().name): Promise<Outcome> {
  const result = await statusOf(context)
  const keys = [gatewaySlot(name), `service-${name}`, name]
  const slot = keys.flatMap((key) => result.slots.find((one) => one.slot === key) ?? [])[0]
  if (slot === undefined) return whyNoSlot(context, name, result)
  const isWell = (slot.ready && (slot.health ?? 'ok') === 'ok') || isBetweenRuns(slot) || slot.wanted === 'down'
  const text = whyText(slot, context.clock.wallMs())
  return { text: `${text}\n`, json: { ...slot, why: text }, exitCode: isWell ? EXIT.done : EXIT.failed }
}
