/** Commands about the lines of logs that are sent to other servers. */
import { join } from 'node:path'
import type { ForwarderBundle } from '../../../forward/program/forwarder-program.ts'
import { type ForwardTotal, forwardTotals } from '../../../forward/store/report.ts'
import { configProblemText, loadConfig } from '../../../profile/config/config.ts'
import { type ForwardTarget, shownForward } from '../../../profile/config/kinds/forward-kinds.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import type { Command } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { meterFacts } from '../../context/dispatcher-facts.ts'
import type { Outcome } from '../../terminal/output.ts'
import { durationText, table } from '../../view/slots-view.ts'

export const FORWARD_COMMANDS: readonly Command[] = [
  {
    path: 'forward list',
    summary: 'List the targets that get the lines of logs, with what was sent, refused and lost',
    run: list,
  },
  {
    path: 'forwarder',
    summary: 'Run the forwarder, which sends the lines of logs to other servers (the forwarder slot runs this command)',
    run: async (context) => {
      const { forwarderProgram } = require('#bundle/forwarder.cjs') as ForwarderBundle
      return { exitCode: await forwarderProgram(meterFacts(context)) }
    },
  },
]

function list(context: Context): Outcome {
  const targets = targetsOf(context)
  const totals = new Map(forwardTotals(context.home).map((total) => [total.target, total]))
  const wallMs = context.clock.wallMs()
  const rows = targets.map((target) => rowOf(target, totals.get(target.name), wallMs))
  const troubles = targets.flatMap(({ name }) => {
    const { trouble, troubleMs } = totals.get(name) ?? {}
    const since = troubleMs ? ` (for ${durationText(Math.max(0, wallMs - troubleMs))})` : ''
    return trouble ? [`${name}${since}: ${trouble}\n`] : []
  })
  const text = [
    targets.length === 0
      ? 'There are no targets; set forward in the config.yaml of the default profile (docs/forwarding.md).\n'
      : table([['NAME', 'TO', 'SENT', 'REFUSED', 'LOST', 'LAST SENT'], ...rows]),
    ...(troubles.length === 0 ? [] : ['\nThe lines wait in their log files:\n', ...troubles]),
  ]
  return {
    text: plainText(text.join('')),
    json: { targets: targets.map((target) => targetJson(target, totals.get(target.name))) },
  }
}

function rowOf({ name, to }: ForwardTarget, total: ForwardTotal | undefined, wallMs: number): readonly string[] {
  const { sent = 0, refused = 0, gaps = 0, lostBytes = 0, sentMs } = total ?? {}
  const lost = gaps === 0 ? '0' : `${gaps} x, ${lostBytes} bytes or more`
  const ago = sentMs ? `${durationText(Math.max(0, wallMs - sentMs))} ago` : '-'
  return [name, to, `${sent}`, `${refused}`, lost, ago]
}

function targetJson(target: ForwardTarget, total: ForwardTotal | undefined) {
  const { sent = 0, refused = 0, gaps = 0, lostBytes = 0, sentMs, trouble } = total ?? {}
  return {
    ...shownForward(target),
    lines_sent: sent,
    lines_refused: refused,
    gaps,
    lost_bytes: lostBytes,
    ...(sentMs && { sent_at: new Date(sentMs).toISOString() }),
    ...(trouble && { trouble }),
  }
}

/** The targets of the default profile; entries that are not valid are warnings. */
function targetsOf(context: Context): readonly ForwardTarget[] {
  const { config, problems } = loadConfig(join(context.home, 'config.yaml'))
  const isOurs = (key: string): boolean => key === 'forward' || key.startsWith('forward.') || key === ''
  for (const problem of problems) if (isOurs(problem.key)) warnOn(context)(configProblemText(problem))
  return config.forward
}
