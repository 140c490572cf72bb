import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LogReader } from '../../log/io/log-reader.ts'
import type { LogSource } from '../../log/io/log-source.ts'
import type { LogLine } from '../../log/line.ts'
import { listProfiles, requireProfile } from '../../profile/disk.ts'
import { isProfileName } from '../../profile/names.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { loadNative } from '../../system/native-libc.ts'
import { gatewaySlot, homePaths, slotLogDir } from '../../system/paths.ts'
import { type ArgumentSpec, type Command, type Input, textOption } from '../command.ts'
import type { Context } from '../context.ts'
import { lastOf, lineFilter, lineText, parseCount, parseLevel, parseSince } from '../log-lines.ts'
import type { Outcome } from '../output.ts'

const STDOUT = 1
const DEFAULT_LINES = '50'
const NAMES: ArgumentSpec = {
  name: 'NAME',
  help: 'profiles, or agent, errors, boot, supervisor, dashboard, dispatcher',
  kind: 'many',
}
const OPTIONS = [
  { long: '--follow', short: '-f', help: 'go on with what is written from now on' },
  {
    long: '--lines',
    short: '-n',
    value: 'N',
    help: `the last N lines (${DEFAULT_LINES}; with --since all of them); all: everything there is`,
  },
  { long: '--since', value: 'WHEN', help: '30s, 10m, 1h, or a time' },
  { long: '--level', value: 'LEVEL', help: 'that level and worse: debug, info, warn, error' },
  { long: '--session', value: 'ID', help: 'one conversation, in agent and errors' },
] as const

export const LOG_COMMANDS: readonly Command[] = [
  {
    path: 'logs',
    summary: "print a gateway's log, or several merged by time; alone: the active profile's gateway",
    arguments: [NAMES],
    options: [...OPTIONS, { long: '--all', help: 'every gateway' }],
    details: 'With --follow and --json: one JSON object a line.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: (context, input) => printLogs(context, input, sourcesOf(context, input)),
  },
  {
    path: 'service logs',
    summary: 'print the log of a service that the image defines',
    arguments: [{ name: 'NAME', help: 'name of the service', kind: 'required' }],
    options: OPTIONS,
    exits: { [EXIT.noSuch]: 'no such service' },
    run: (context, input) =>
      printLogs(context, input, [serviceSource(context, (input.words[0] ?? '').replace(/^service-/, ''))]),
  },
]

function sourcesOf(context: Context, input: Input): readonly LogSource[] {
  if (input.options.all === true)
    return listProfiles(context.home).profiles.map(({ name }) => gatewaySource(context, name))
  const names =
    input.words.length === 0
      ? [context.profile().name]
      : [...new Set(input.words.map((word) => word.trim().toLowerCase()))]
  return names.map((name) => sourceOf(context, name))
}

function sourceOf(context: Context, name: string): LogSource {
  const { logs } = homePaths(context.home)
  switch (name) {
    case 'agent':
    case 'errors':
      return { slot: name, dir: join(context.profile().dir, 'logs'), name: `${name}.log` }
    case 'boot':
      return { slot: name, dir: logs, name: 'container-boot.log' }
    case 'supervisor':
      return { slot: name, dir: logs, name: 'supervisor.log' }
    case 'dashboard':
    case 'dispatcher':
      return { slot: name, dir: slotLogDir(context.home, name) }
    default: {
      const source = gatewaySource(context, name)
      // What a deleted profile left with --keep-logs can still be read.
      if (isProfileName(name) && existsSync(source.dir)) return source
      return gatewaySource(context, requireProfile(context.home, name).name)
    }
  }
}

const gatewaySource = ({ home }: Context, name: string): LogSource => ({
  slot: name,
  dir: slotLogDir(home, gatewaySlot(name)),
})

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

/** In pieces: one write per line would be a system call each. @returns how many lines */
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
