// Two places where s6's tools can work: s6-svscan with its own service directories, and a Hermes with slots. And two
// sets of tools: Debian's and ours. The same services are in both places, once for each set of tools.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningHermes, startHermes, type TestProfile } from '../hermes.ts'
import { installDir } from '../install.ts'
import { outputOf } from '../programs/output.ts'

/** Result of one of s6's commands. */
export interface Said {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface TestService {
  readonly name: string
  readonly down?: boolean
  readonly stubborn?: boolean
  /** Exits with 125 at HUP. */
  readonly quits?: boolean
  readonly downSignal?: string
  readonly timeoutKillMs?: number
  /** Of ours; s6 has one second for all. */
  readonly restartDelay?: string
  /** Text of an executable `finish`. */
  readonly finish?: string
}

export type ToolSet = 'debian' | 'ours'

/** One place, used with one set of tools. */
export interface Place {
  readonly kind: 's6' | 'hermes'
  readonly tools: ToolSet
  /** The directory of a service. */
  dir(service: string): string
  /** Runs a tool; a word `@name` stands for the directory of that service, `@` for the scan directory. */
  run(tool: string, ...args: readonly string[]): Promise<Said>
  /** Starts one and leaves it running. */
  start(tool: string, ...args: readonly string[]): { readonly process: ChildProcess; readonly said: Promise<Said> }
  /** Debian's tool, whatever the set: what the test itself wants to know. */
  ask(tool: string, ...args: readonly string[]): Promise<Said>
}

export interface Places extends AsyncDisposable {
  readonly hermes: RunningHermes
  readonly svscan: ChildProcess
  /** All four combinations. */
  readonly all: readonly Place[]
}

const PROGRAM = join(import.meta.dirname, '../programs/obeys-signals.pl')
const TOOLS: readonly ToolSet[] = ['debian', 'ours']

const keyOf = (service: string, tools: ToolSet): string => `${service}-${tools}`
const args = ({ stubborn, quits }: TestService): readonly string[] => [
  'perl',
  PROGRAM,
  ...(stubborn ? ['stubborn'] : []),
  ...(quits ? ['quits'] : []),
]

export async function startPlaces(services: readonly TestService[]): Promise<Places> {
  const scan = mkdtempSync(join(tmpdir(), 's6-scan-'))
  const each = services.flatMap((service) => TOOLS.map((tools) => ({ service, key: keyOf(service.name, tools) })))
  for (const { service, key } of each) layReal(join(scan, key), service)
  const hermes = await startHermes({ profiles: each.map(({ service, key }) => profileOf(service, key)) })
  for (const { service, key } of each) {
    const file = join(hermes.runDir, 'service', `gateway-${key}`, 'finish')
    if (service.finish) writeFileSync(file, service.finish, { mode: 0o755 })
  }
  const svscan = spawn('s6-svscan', [scan], { stdio: 'ignore' })
  const all = (['s6', 'hermes'] as const).flatMap((kind) =>
    TOOLS.map((tools) => makePlace(kind, tools, kind === 's6' ? scan : join(hermes.runDir, 'service'))),
  )
  return {
    hermes,
    svscan,
    all,
    async [Symbol.asyncDispose]() {
      if (svscan.exitCode === null) {
        const ended = new Promise((resolve) => svscan.once('exit', resolve))
        svscan.kill('SIGTERM')
        await ended
      }
      await hermes[Symbol.asyncDispose]()
      rmSync(scan, { recursive: true, force: true })
    },
  }
}

function layReal(dir: string, service: TestService): void {
  mkdirSync(dir, { recursive: true })
  const file = (name: string, text: string, mode = 0o644): void => writeFileSync(join(dir, name), text, { mode })
  file('run', `#!/bin/sh\nexec ${args(service).join(' ')}\n`, 0o755)
  file('notification-fd', '3\n')
  if (service.down) file('down', '')
  if (service.downSignal) file('down-signal', `${service.downSignal}\n`)
  if (service.timeoutKillMs) file('timeout-kill', `${service.timeoutKillMs}\n`)
  if (service.finish) {
    file('finish', service.finish, 0o755)
    // Not the usual 5 s, which can pass on a busy machine while a test holds the script.
    file('timeout-finish', '60000\n')
  }
}

const profileOf = (service: TestService, key: string): TestProfile => ({
  name: key,
  desired: service.down ? 'stopped' : 'running',
  gateway: {
    command: args(service),
    ready: { fd: 3 },
    ...(service.restartDelay && { restart_delay: { first: service.restartDelay, max: service.restartDelay } }),
    ...(service.downSignal && { stop_signal: service.downSignal }),
    ...(service.timeoutKillMs && { stop_timeout: `${service.timeoutKillMs}ms` }),
  },
})

function makePlace(kind: Place['kind'], tools: ToolSet, scan: string): Place {
  const dir = (service: string): string => join(scan, `${kind === 'hermes' ? 'gateway-' : ''}${keyOf(service, tools)}`)
  const resolved = (list: readonly string[]): string[] =>
    list.map((argument) => (argument === '@' ? scan : argument.startsWith('@') ? dir(argument.slice(1)) : argument))
  const command = (set: ToolSet, tool: string, list: readonly string[]): readonly [string, string[]] =>
    set === 'debian'
      ? [tool, resolved(list)]
      : [process.execPath, [join(installDir(), 'lib', 's6.cjs'), tool, ...resolved(list)]]
  const start = (set: ToolSet, tool: string, list: readonly string[]) => {
    const [file, argv] = command(set, tool, list)
    const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    const output = outputOf(child)
    const said = new Promise<Said>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, out: output.stdout.trimEnd(), err: output.stderr.trimEnd() }))
    })
    return { process: child, said }
  }
  return {
    kind,
    tools,
    dir,
    run: (tool, ...list) => start(tools, tool, list).said,
    start: (tool, ...list) => start(tools, tool, list),
    ask: (tool, ...list) => start('debian', tool, list).said,
  }
}
