import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LogSource } from '../../log/history/log-source.ts'
import { LogReader } from '../../log/io/log-reader.ts'
import type { LogLine } from '../../log/line.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { loadNative } from '../../system/native/native-libc.ts'
import { homePaths, slotLogDir } from '../../system/paths.ts'
import { type ArgumentSpec, type Command, type Input, textOption } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { KINDS, logSources } from '../context/log-sources.ts'
import type { Outcome } from '../terminal/output.ts'
import { lastOf, lineFilter, lineText, parseCount, parseLevel, parseSince } from '../view/log-lines.ts'

const STDOUT = 1
const DEFAULT_LINES = '50'
const NAMES: ArgumentSpec = {
  name: 'NAME',
  help: `names of profiles, or kinds of log as with --of (${KINDS.join(', ')}); a profile's name comes first`,
  kind: 'many',
  completes: 'profiles',
}
const OPTIONS = [
  { long: '--follow', short: '-f', help: 'keep printing new lines as they are written' },
  {
    long: '--lines',
    short: '-n',
    value: 'N',
    help: `print the last N lines (default ${DEFAULT_LINES}; with --since: all), or all`,
  },
  { long: '--since', value: 'WHEN', help: 'print lines since a time, or since 30s, 10m or 1h ago' },
  {
    long: '--level',
    value: 'LEVEL',
    help: 'print lines of this level and above: debug, info, warn, error',
    completes: ['debug', 'info', 'warn', 'error'],
  },
  { long: '--session', value: 'ID', help: 'print lines of one session' },
] as const

export const LOG_COMMANDS: readonly Command[] = [
  {
    path: 'logs',
    summary: "Print a gateway's log, or several logs merged by time",
    arguments: [NAMES],
    options: [
      ...OPTIONS,
      { long: '--all', help: 'print the logs of every gateway' },
      { long: '--of', value: 'LOG', help: `kind of log: ${KINDS.join(', ')}`, completes: KINDS },
    ],
    details:
      'Without NAME and --of, print the log of the active profile: agent.log if it runs the built-in gateway,\n' +
      "else `current`, the output of the gateway's program. With --follow and --json, each line is a JSON\n" +
      'object.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: (context, input) => printLogs(context, input, sourcesOf(context, input)),
  },
  {
    path: 'service logs',
    summary: 'Print the log of a service that the image defines',
    arguments: [{ name: 'NAME', help: 'name of the service', kind: 'required', completes: 'services' }],
    options: OPTIONS,
    exits: { [EXIT.noSuch]: 'no such service' },
    run: (context, input) =>
      printLogs(context, input, [serviceSource(context, (input.args[0] ?? '').replace(/^service-/, ''))]),
  },
]

const sourcesOf = (context: Context, input: Input): readonly LogSource[] =>
  logSources(context, { names: input.args, all: input.options.all === true, of: textOption(input, 'of') })

function serviceSource({ home }: Context, name: string): LogSource {
  const dir = slotLogDir(home, `service-${name}`)
  if (/^[a-z0-9][a-z0-9_-]*$/.test(name) && existsSync(dir)) return { slot: name, dir }
  throw new HermesError('NO_SUCH_SLOT', `no log of a service "${name}" in ${homePaths(home).logs}/services`, {
    next: 'hermes service list',
  })
}

export async function printLogs(context: Context, input: Input, sources: readonly LogSource[]): Promise<Outcome> {
  const { clock, output, json } = context
  const since = textOption(input, 'since')
  const lines = parseCount(textOption(input, 'lines') ?? (since === undefined ? DEFAULT_LINES : 'all'))
  const sinceMs = since === undefined ? undefined : parseSince(since, clock.wallMs())
  const follow = input.options.follow === true
  const keep = filterOf(input)
  const show = (line: LogLine): string =>
    json ? `${JSON.stringify(jsonLine(line))}\n` : lineText(line, sources.length > 1)
  const reader = new LogReader(sources)
  try {
    // A filter has to see every line before the last ones can be counted; without one the reader starts near the end.
    const query = {
      wholeLines: follow,
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(keep || lines === undefined ? {} : { lines }),
    }
    const history = reader.history(query)
    const kept = keep ? lastOf(filtered(history, keep), lines) : history
    if (!follow && json) return { json: [...kept].map(jsonLine) }
    let printed = printAll(context, kept, show)
    if (!follow) {
      if (printed === 0)
        output.err(`hermes: no lines in ${sources.map(({ dir, name }) => join(dir, name ?? 'current')).join(', ')}\n`)
      return {}
    }
    const { native } = await loadNative()
    for await (const batch of reader.follow(clock, () => !output.closed && native.hasReader(STDOUT))) {
      printed += printAll(context, keep ? batch.filter(keep) : batch, show)
    }
    return {}
  } finally {
    reader.close()
  }
}

const PRINT_BYTES = 64 * 1024

/** Prints in blocks: one write per line would be one system call each. @returns the number of lines */
function printAll({ output }: Context, lines: Iterable<LogLine>, show: (line: LogLine) => string): number {
  let text = ''
  let count = 0
  for (const line of lines) {
    text += show(line)
    count++
    if (text.length < PRINT_BYTES) continue
    output.out(text)
    text = ''
    if (output.closed) return count
  }
  if (text !== '') output.out(text)
  return count
}

function filterOf(input: Input): ((line: LogLine) => boolean) | undefined {
  const level = textOption(input, 'level')
  const session = textOption(input, 'session')
  if (level === undefined && session === undefined) return undefined
  return lineFilter({
    ...(level === undefined ? {} : { level: parseLevel(level) }),
    ...(session === undefined ? {} : { session }),
  })
}

function* filtered(lines: Iterable<LogLine>, keep: (line: LogLine) => boolean): Generator<LogLine> {
  for (const line of lines) if (keep(line)) yield line
}

const jsonLine = ({ slot, at, text }: LogLine) => ({ log: slot, ...(at === undefined ? {} : { at }), text })
