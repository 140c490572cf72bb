/** `hermes audit`: the changes that people and programs have made. */
import { type AuditEntry, VIAS } from '../../../access/audit-entry.ts'
import { readAudit } from '../../../access/audit-read.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { parseCount, parseSince } from '../../view/log-lines.ts'
import { table } from '../../view/slots-view.ts'

const DEFAULT_LINES = '50'
/** A table is made in memory. */
const MOST_LINES = 50_000

export const AUDIT_COMMANDS: readonly Command[] = [
  {
    path: 'audit',
    summary: 'Show who has changed what, oldest first',
    options: [
      {
        long: '--lines',
        short: '-n',
        value: 'N',
        help: `print the last N changes (default ${DEFAULT_LINES}; with --since: all), or all`,
      },
      { long: '--since', value: 'WHEN', help: 'print changes since a time, or since 30s, 10m or 1h ago' },
      { long: '--actor', value: 'NAME', help: 'print changes of this user, token or slot' },
      { long: '--action', value: 'WORDS', help: 'print changes whose action begins with these words, such as kanban' },
    ],
    details:
      `A change came by one of these ways: ${VIAS.join(', ')}. The log is logs/audit.log.\n` +
      'It is written by programs of the runtime user, so a gateway could change it.',
    run: audit,
  },
]

function audit(context: Context, input: Input): Outcome {
  const since = textOption(input, 'since')
  const limit = parseCount(textOption(input, 'lines') ?? (since === undefined ? DEFAULT_LINES : 'all'))
  const filter = {
    sinceMs: since === undefined ? undefined : parseSince(since, context.clock.wallMs()),
    actor: textOption(input, 'actor'),
    action: textOption(input, 'action'),
  }
  const { entries, problems } = readAudit(context.home, filter, Math.min(limit ?? MOST_LINES, MOST_LINES))
  for (const problem of problems) warnOn(context)(problem)
  if (entries.length === 0 && !context.json) context.output.err('hermes: no changes are recorded that fit\n')
  const header = ['TIME', 'ACTOR', 'VIA', 'ACTION', 'TARGET', 'RESULT']
  return { text: entries.length === 0 ? '' : table([header, ...entries.map(rowOf)]), json: entries }
}

const rowOf = ({ time, actor, via, action, target, result, more }: AuditEntry): readonly string[] => [
  time,
  actor,
  via,
  action,
  target ?? '-',
  more === undefined ? result : `${result}, and ${more} more`,
]
