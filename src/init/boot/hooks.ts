import { readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Ending } from '../../slot/ending.ts'
import { describeEnding, shellCode } from '../../slot/ending.ts'
import type { Clock } from '../../system/clock.ts'
import { hasCode } from '../../system/error-code.ts'
import { EXIT } from '../../system/errors.ts'
import { notOf, trusted } from '../../system/files/trust.ts'
import type { Level } from '../../system/level.ts'
import { checkProgram, crlfFault } from '../../system/programs/program.ts'
import { withBytes } from '../facts/byte-environment.ts'
import type { Variables } from '../facts/environment.ts'
import type { Processes } from '../processes/processes.ts'

export const INIT_HOOKS = '/etc/cont-init.d'
export const FINISH_HOOKS = '/etc/cont-finish.d'
const NAME_EVERY_MS = 10_000

export interface HooksOptions {
  readonly clock: Clock
  readonly processes: Processes
  /** Called before each hook: an earlier one may have added to the store. */
  readonly env: () => Variables
  /** A file that is written where a hook's environment has to be set by a script. */
  readonly script: string
  /**
   * The user that must not be able to change hooks, because hooks run with more rights; absent: there is no such
   * user.
   */
  readonly runtimeUser?: RuntimeIdentity
  readonly log: (level: Level, text: string) => void
}

/**
 * The container's hooks: programs of root in a directory of root, run one after the other in the order of their
 * names.
 */
export class Hooks {
  readonly #options: HooksOptions
  #running: { readonly pid: number; readonly name: string } | undefined

  constructor(options: HooksOptions) {
    this.#options = options
  }

  /** Process group of the hook that runs now. */
  get pid(): number | undefined {
    return this.#running?.pid
  }

  /**
   * @param goOn called after each hook with its result (0: success, else its exit code or 128 + signal)
   * @returns the code that `goOn` refused, else 0
   */
  async run(dir: string, goOn: (code: number, name: string) => boolean): Promise<number> {
    for (const file of this.#list(dir)) {
      const code = await this.#runOne(file)
      if (!goOn(code, file)) return code
    }
    return 0
  }

  /** Tells whether a directory holds anything that may have to run; in doubt it does. */
  areThere(dir: string): boolean {
    try {
      return readdirSync(dir).length > 0
    } catch (error) {
      return !hasCode(error, 'ENOENT')
    }
  }

  #list(dir: string): readonly string[] {
    let names: readonly string[]
    try {
      names = readdirSync(dir).sort()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.#options.log('warn', `${dir} cannot be read (${code}); its hooks are left out`)
      return []
    }
    return names
      .filter((name) => !name.startsWith('.'))
      .map((name) => join(dir, name))
      .filter((file) => this.#mayRun(file))
  }

  #mayRun(file: string): boolean {
    const status = statusOf(file)
    if (status?.isDirectory()) return false
    if (status?.isFile() && (status.mode & 0o111) !== 0) return true
    const why = status?.isFile() ? 'is not executable; run chmod +x on it' : 'is not a program'
    this.#options.log('warn', `${file} ${why}. It is skipped`)
    return false
  }

  /**
   * Changing a program that root runs means being root: the runtime user must be able to write neither the hook nor
   * its interpreter.
   */
  #whyNotTrusted(file: string, path: string): string | undefined {
    const { runtimeUser } = this.#options
    if (runtimeUser === undefined) return undefined
    const groups = [runtimeUser.gid, ...runtimeUser.groups]
    const rule = notOf({ uid: runtimeUser.uid, groups })
    const fault = checkProgram(file, { path, look: (one) => trusted(one, rule) })?.fault
    return fault?.untrusted ? `${fault.file}: ${fault.message}; ${fault.repair}` : undefined
  }

  async #runOne(file: string): Promise<number> {
    const { clock, processes, env, script, log } = this.#options
    const given = env()
    const whyNot = this.#whyNotTrusted(file, given.PATH ?? '')
    if (whyNot !== undefined) {
      log('error', `${file} is not run as root: ${whyNot}`)
      return EXIT.cannotExecute
    }
    const crlf = crlfFault(file)
    if (crlf !== undefined) {
      log('error', `${file} cannot be run: ${crlf.message}; ${crlf.repair}`)
      return EXIT.cannotExecute
    }
    let ending: Ending
    const startedAtMs = clock.nowMs()
    let stillRuns = true
    const nameIt = (): void => {
      clock.at(clock.nowMs() + NAME_EVERY_MS, () => {
        if (!stillRuns) return
        log(
          'warn',
          `${file} has been running for ${Math.round((clock.nowMs() - startedAtMs) / 1000)} s; the boot waits for it`,
        )
        nameIt()
      })
    }
    try {
      const start = withBytes({ argv: [file], env: given }, script)
      const [program = file, ...args] = start.argv
      const { pid, ended } = await processes.start(program, args, {
        cwd: '/',
        env: { ...start.env },
        stdio: ['ignore', 1, 2],
        detached: true,
      })
      this.#running = { pid, name: file }
      nameIt()
      ending = await ended
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // The file is there, we have just looked.
      const why = code === 'ENOENT' ? 'the interpreter its first line names is not there' : message
      log('error', `${file} cannot be run: ${why}`)
      return EXIT.cannotExecute
    } finally {
      stillRuns = false
      this.#running = undefined
    }
    const code = shellCode(ending)
    if (code !== 0) log('error', `${file} ${describeEnding(ending)}`)
    return code
  }
}

/** undefined: nothing that could be run, be it a dangling link or one that leads back to itself (ELOOP). */
function statusOf(file: string): Stats | undefined {
  try {
    return statSync(file)
  } catch {
    return undefined // the caller says what it is not
  }
}

/**
 * S6_BEHAVIOUR_IF_STAGE2_FAILS: 0 and 1 continue after a failing hook; unset or any other value stops the container.
 */
export const goesOnAfterFailure = (env: Variables): boolean =>
  ['0', '1'].includes((env.S6_BEHAVIOUR_IF_STAGE2_FAILS ?? '').trim())
