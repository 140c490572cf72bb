import { lchownSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { HANDOVER_FD } from '../../protocol/handover.ts'
import type { Ending } from '../../slot/ending.ts'
import { shellCode } from '../../slot/ending.ts'
import { EXIT } from '../../system/errors.ts'
import { MAIN_MARKER } from '../../system/markers.ts'
import type { Native } from '../../system/native/native.ts'
import { execWith, exportLines } from '../../system/programs/sh-environment.ts'
import { encodeBytes } from '../../system/text/byte-text.ts'
import type { Variables } from '../facts/environment.ts'
import type { InitFacts } from '../facts/facts.ts'
import { namesOf } from '../facts/identity.ts'
import { ROOT_ENV, SAFE_PATH } from '../facts/root-environment.ts'
import type { Processes, Started } from '../processes/processes.ts'
import { giveStreams, type TerminalPlan, terminalFd, terminalPlan } from '../processes/terminal.ts'
import type { DashboardProgram } from './dashboard-program.ts'
import { isDashboard, mainCommand, requireProgram } from './main-command.ts'

/** A shell's code for a program that was killed: 128 + SIGKILL. */
const KILLED = 137

export interface MainProgramOptions {
  readonly native: Pick<Native, 'giveUpTerminal' | 'isSessionLeader'>
  readonly processes: Processes
  /** The container's arguments. */
  readonly argv: readonly string[]
  /** Our own command, which handles arguments that do not name a program. */
  readonly hermes: string
  /** The container's environment as the boot hooks left it. */
  readonly stored: () => Variables
  /** How to start it if it is the dashboard. */
  readonly dashboard: Pick<DashboardProgram, 'command' | 'serve'>
  readonly facts: Pick<InitFacts, 'identity' | 'prefix' | 'dropped'>
  /** Where the script that sets main's environment lies. */
  readonly script: string
  /** @param code the container's exit code if no stop was requested before */
  readonly ended: (code: number) => void
  readonly warn: (text: string) => void
}

/**
 * The container's main program: what its arguments name, with the streams and the terminal that the container was
 * given.
 */
export class MainProgram {
  readonly #options: MainProgramOptions
  #started: { readonly pid: number; ending?: Ending } | undefined
  #sharesTerminal = false
  #hangupsExpected = 0

  constructor(options: MainProgramOptions) {
    this.#options = options
  }

  /** The container's arguments, or its terminal, request one. */
  get isWanted(): boolean {
    return this.#options.argv.length > 0 || terminalFd() !== undefined
  }

  /** While it lives. */
  get pid(): number | undefined {
    return this.#started?.ending === undefined ? this.#started?.pid : undefined
  }

  /** It stays in our session, on the terminal of the process that started us. */
  get sharesTerminal(): boolean {
    return this.#sharesTerminal
  }

  /** Tells whether a received HUP is the one for the terminal that we have just given up. */
  hangupIsOurs(): boolean {
    return this.#hangupsExpected > 0 && this.#hangupsExpected-- > 0
  }

  /**
   * Starts the main program, if there is one.
   * @returns false: there is none
   * @throws HermesError if the program does not exist, Error if it could not be started
   */
  async start(): Promise<boolean> {
    const { native, stored, argv: given, hermes, ended } = this.#options
    const environment = stored()
    const path = environment.PATH ?? SAFE_PATH
    const argv = mainCommand({ argv: given, hasTerminal: terminalFd() !== undefined, path, hermes })
    const [program] = argv
    if (program === undefined) return false
    requireProgram(program)
    const terminal = terminalPlan(native)
    this.#sharesTerminal = terminal === 'share'
    const started = await this.#spawn(argv, environment, terminal)
    const main: { readonly pid: number; ending?: Ending } = { pid: started.pid }
    this.#started = main
    void started.ended.then((ending) => {
      main.ending = ending
      ended(containerCode({ ending, stopAsked: false, killed: false }))
    })
    return true
  }

  /** The container's exit code after a requested stop. */
  codeAfterStop(wasKilled: (pid: number) => boolean): number {
    if (this.#started === undefined) return EXIT.done
    const { pid, ending } = this.#started
    return ending === undefined ? KILLED : containerCode({ ending, stopAsked: true, killed: wasKilled(pid) })
  }

  /**
   * Runs as the runtime user, in the container's working directory. A script exports its environment after root is
   * dropped: setpriv is root but not setuid, so LD_PRELOAD in its environment would run as root.
   */
  async #spawn(argv: readonly string[], environment: Variables, terminal: TerminalPlan): Promise<Started> {
    const { script, processes, warn } = this.#options
    const { identity, dropped, prefix } = this.#options.facts
    const { argv: given, dashboard } = this.#options
    const ofDashboard = isDashboard(given) ? dashboard.command(given.slice(given.indexOf('dashboard') + 1)) : undefined
    if (ofDashboard === undefined)
      writeFileSync(script, encodeBytes(mainScriptText({ ...environment, ...namesOf(identity) })), {
        mode: 0o600,
        flag: 'w',
      })
    if (dropped) {
      if (ofDashboard === undefined) lchownSync(script, identity.uid, identity.gid)
      const problem = giveStreams(identity)
      if (problem !== undefined) warn(problem)
    }
    if (terminal === 'take') this.#giveUpTerminal()
    const takeTerminal = terminal === 'take' ? ['/usr/bin/setsid', '-c', '--'] : []
    const [file = '', ...args] =
      ofDashboard === undefined
        ? [...prefix, ...takeTerminal, '/bin/sh', script, ...argv]
        : [...takeTerminal, ...ofDashboard.argv]
    const started = await processes.start(file, args, {
      cwd: process.cwd(),
      env: { ...(ofDashboard?.env ?? ROOT_ENV) },
      stdio: ofDashboard === undefined ? [0, 1, 2] : [0, 1, 2, 'ignore', 'pipe'],
      // Without a terminal it gets its own session; with one, setsid creates it, or a shared session is kept.
      detached: terminal === 'none',
    })
    if (ofDashboard !== undefined) dashboard.serve(started.process.stdio[HANDOVER_FD] as Socket, 'main')
    return started
  }

  #giveUpTerminal(): void {
    const { native, warn } = this.#options
    const fd = terminalFd()
    if (fd === undefined) return
    try {
      this.#hangupsExpected += 1
      native.giveUpTerminal(fd)
    } catch (error) {
      warn(`the terminal cannot be handed to the main program: ${(error as Error).message}; it has no job control`)
    }
  }
}

/** Exports everything, then becomes the program. */
export function mainScriptText(env: Variables): string {
  // exec keeps the pid, so it names the main program, and nothing that the main program starts.
  const variables = Object.entries(env)
  return [
    ...exportLines(variables),
    `export ${MAIN_MARKER}=$$`,
    `trap '${NOT_RUN}' EXIT`,
    `${execWith(variables)} "$@"`,
    '',
  ].join('\n')
}

/**
 * Once the program runs, the trap is gone with the shell. After "not found" about an existing file, users would
 * search in the wrong place.
 */
const NOT_RUN =
  'echo "hermes: error: the main program $1 cannot be run by uid $(id -u): may it, and is the interpreter there that its first line names (with CRLF it is not)?" >&2'

export interface MainEnd {
  readonly ending: Ending
  /** The container was asked to stop before it ended. */
  readonly stopAsked: boolean
  /** It was killed because it did not end in time. */
  readonly killed: boolean
}

/**
 * The container's exit code. Without a requested stop: the program's own, or 128 + n for a signal. After a requested
 * stop: 137 if it had to be killed, its own code if it exited by itself, else 0.
 */
export function containerCode({ ending, stopAsked, killed }: MainEnd): number {
  if (!stopAsked) return shellCode(ending)
  if (killed) return KILLED
  return 'exitCode' in ending ? ending.exitCode : 0
}
