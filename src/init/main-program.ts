import { lchownSync, writeFileSync } from 'node:fs'
import type { Ending, RuntimeIdentity } from '../protocol/init.ts'
import { MAIN_MARKER } from '../system/markers.ts'
import type { Native } from '../system/native.ts'
import { isShellName, shellQuote, type Variables } from './environment.ts'
import type { Processes, Started } from './processes.ts'
import { giveStreams, type TerminalPlan, terminalFd } from './terminal.ts'

export interface MainProgramOptions {
  readonly native: Pick<Native, 'giveUpTerminal'>
  readonly processes: Processes
  /** The program and its arguments. */
  readonly words: readonly string[]
  readonly env: Variables
  readonly cwd: string
  readonly identity: RuntimeIdentity
  /** setpriv with its options, where root is dropped. */
  readonly prefix: readonly string[]
  readonly dropped: boolean
  readonly terminal: TerminalPlan
  /** Where the script that sets main's environment lies. */
  readonly script: string
  /** An environment for what runs as root on the way. */
  readonly rootEnv: Variables
  /** We are about to lose our terminal, and HUP will come for that. */
  readonly hangupExpected: () => void
  readonly warn: (text: string) => void
}

/**
 * Starts the container's main program as the runtime user, in the directory and with the streams the container was given.
 * Its environment is exported by a script that runs after the drop: setpriv is root and not setuid, so LD_PRELOAD in the
 * environment it is given would run as root.
 * @throws Error when it could not be started
 */
export async function startMain(o: MainProgramOptions): Promise<Started> {
  const { script, identity, dropped, terminal, warn } = o
  writeFileSync(script, mainScriptText(o.env), { mode: 0o600, flag: 'w' })
  if (dropped) {
    lchownSync(script, identity.uid, identity.gid)
    const problem = giveStreams(identity)
    if (problem !== undefined) warn(problem)
  }
  if (terminal === 'take') giveUpTerminal(o)
  const takeTerminal = terminal === 'take' ? ['/usr/bin/setsid', '-c', '--'] : []
  const [file = '', ...args] = [...o.prefix, ...takeTerminal, '/bin/sh', script, ...o.words]
  return o.processes.start(file, args, {
    cwd: o.cwd,
    env: { ...o.rootEnv },
    stdio: [0, 1, 2],
    // Without a terminal a session of its own; setsid makes one where there is, and a shared one is to be kept.
    detached: terminal === 'none',
  })
}

function giveUpTerminal({ native, hangupExpected, warn }: MainProgramOptions): void {
  const fd = terminalFd()
  if (fd === undefined) return
  try {
    hangupExpected()
    native.giveUpTerminal(fd)
  } catch (error) {
    warn(`the terminal cannot be handed to the main program: ${(error as Error).message}; it has no job control`)
  }
}

/** Exports everything, then becomes the program. */
export function mainScriptText(env: Variables): string {
  const exports = Object.entries(env)
    .filter(([name]) => isShellName(name))
    .map(([name, value]) => `export ${name}=${shellQuote(value)}`)
  // exec keeps the pid, so it names the main program, and nothing that the main program starts.
  return [...exports, `export ${MAIN_MARKER}=$$`, 'exec "$@"', ''].join('\n')
}

export interface MainEnd {
  readonly ending: Ending
  /** The container was asked to stop before it ended. */
  readonly stopAsked: boolean
  /** It was killed because it did not end in time. */
  readonly killed: boolean
}

/**
 * The container's exit code. By itself: the program's own, 128 + n for a signal. After a stop that was asked for: 137 if it had to be
 * killed, its own code if it ended with one by itself, else 0.
 */
export function containerCode({ ending, stopAsked, killed }: MainEnd, shellCode: (ending: Ending) => number): number {
  if (!stopAsked) return shellCode(ending)
  if (killed) return 137
  return 'exitCode' in ending ? ending.exitCode : 0
}
