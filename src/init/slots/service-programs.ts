import { closeSync, lchownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import {
  type ServicePrograms as Programs,
  type ServiceUser,
  serviceOfSlot,
  serviceSlot,
} from '../../services/definition.ts'
import { isSamePrograms } from '../../services/reload.ts'
import type { ServiceTable } from '../../services/table.ts'
import type { Ending } from '../../slot/ending.ts'
import { describeEnding } from '../../slot/ending.ts'
import { isClosedVariable } from '../../system/dashboard-secrets.ts'
import { execWith, exportLines, shellQuote } from '../../system/programs/sh-environment.ts'
import { SIGNALS } from '../../system/signals.ts'
import { encodeBytes } from '../../system/text/byte-text.ts'
import { withBytes } from '../facts/byte-environment.ts'
import type { Variables } from '../facts/environment.ts'
import { setprivPrefix } from '../facts/identity.ts'
import type { RootEnvironment } from '../facts/root-environment.ts'
import type { Pipes } from '../processes/pipes.ts'
import { serviceView } from './service-views.ts'

/**
 * A reader of a service's environment must neither be able to log in to the dashboard nor get into the board's
 * database.
 */
const withoutSecrets = (variables: Variables): Variables =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !isClosedVariable(name)))

export interface ServiceProgramsOptions {
  readonly pipes: Pipes
  /** The container's current environment. */
  readonly container: () => Variables
  readonly root: Pick<RootEnvironment, 'path' | 'variables'>
  /** Root's alone; scripts that set environments are written into it, and working directories. */
  readonly dir: string
  /** The scan directory. */
  readonly scanDir: string
  /** Our own uid. */
  readonly uid: number
  /** The user that slots run as, and the options of setpriv that keep it from gaining privileges. */
  readonly runtimeUser: { readonly uid: number; readonly restrictions: readonly string[] }
  readonly warn: (text: string) => void
}

/** How to start a process. */
export interface StartCommand {
  readonly argv: readonly string[]
  readonly env: Variables
  readonly cwd: string
  /** Descriptors that we must close; absent: /dev/null, and the slot's log. */
  readonly stdin?: number
  readonly stdout?: number
  /** It has a line to us, its descriptor HANDOVER_FD; called with our end of it. */
  readonly serve?: (socket: Socket) => void
}

interface Known {
  programs: Programs
  /** The definition that its next start takes; until then, the finish program is that of what runs. */
  next?: Programs
  /** It is not defined any more: nothing is started, and it is forgotten when it has ended. */
  isRemoved?: true
  /** The last ending of `run`, for the finish program. */
  lastEnding?: { readonly pid: number; readonly ending: Ending }
}

/** The image's services: what is run for each. The supervisor can only name them. */
export class ServicePrograms {
  readonly #options: ServiceProgramsOptions
  #known = new Map<string, Known>()
  /** Services whose finish program has to run before the container may end. */
  readonly #unfinished = new Set<string>()
  #stopping = false

  constructor(options: ServiceProgramsOptions) {
    this.#options = options
  }

  /** Called once, before the supervisor may begin. */
  load(table: Pick<ServiceTable, 'programs'>): void {
    this.#known = new Map(table.programs.map((programs) => [serviceSlot(programs.name), { programs }]))
  }

  /** Names of services whose programs are not those of this table. */
  differing({ programs }: Pick<ServiceTable, 'programs'>): readonly string[] {
    const hasChanged = (one: Programs): boolean => {
      const known = this.#known.get(serviceSlot(one.name))
      return known !== undefined && !isSamePrograms(known.next ?? known.programs, one)
    }
    return programs.filter(hasChanged).map(({ name }) => name)
  }

  /** Each service goes over to this table with its next start. */
  replace({ programs }: Pick<ServiceTable, 'programs'>): void {
    const slots = new Set(programs.map(({ name }) => serviceSlot(name)))
    for (const [slot, known] of this.#known) if (!slots.has(slot)) known.isRemoved = true
    for (const one of programs) {
      const slot = serviceSlot(one.name)
      const known = this.#known.get(slot) ?? { programs: one }
      delete known.isRemoved
      delete known.next
      if (isSamePrograms(known.programs, one)) known.programs = one
      else known.next = one
      this.#known.set(slot, known)
    }
  }

  /** The slot is gone. */
  forget(slot: string): void {
    if (this.#known.get(slot)?.isRemoved) this.#known.delete(slot)
  }

  /** Slots whose name starts like a service's are always services. */
  isService(slot: string): boolean {
    return serviceOfSlot(slot) !== undefined
  }

  /** Depth in the dependencies; undefined: not a service. */
  depth(slot: string): number | undefined {
    return this.#known.get(slot)?.programs.depth
  }

  /** The user it runs as; undefined: ours, or not a service. */
  user(slot: string): ServiceUser | undefined {
    return this.#known.get(slot)?.programs.user
  }

  /** Time limit of its finish program; undefined: none. */
  finishTimeoutMs(slot: string): number | undefined {
    return this.#known.get(slot)?.programs.finishTimeoutMs
  }

  /** From now on the supervisor's starts are refused, and init runs the finish programs. */
  stop(): void {
    this.#stopping = true
  }

  /** Stops waiting for its finish program, whatever its result. */
  forgetFinish(slot: string): void {
    this.#unfinished.delete(slot)
  }

  /**
   * Oneshots that have succeeded and can be undone; at the stop also services that have ended and have a finish
   * program.
   */
  unfinished(): readonly { readonly slot: string; readonly depth: number }[] {
    return [...this.#unfinished].map((slot) => ({ slot, depth: this.depth(slot) ?? 0 }))
  }

  ended(slot: string, program: 'run' | 'finish', pid: number, ending: Ending): void {
    const known = this.#known.get(slot)
    if (known === undefined) return
    const { name, oneshot, finish } = known.programs
    const succeeded = 'exitCode' in ending && ending.exitCode === 0
    if (program === 'finish') {
      if (oneshot && !succeeded)
        this.#options.warn(`service ${name} is not undone: the program for that ${describeEnding(ending)}`)
      return
    }
    known.lastEnding = { pid, ending }
    if (finish !== undefined && (oneshot ? succeeded : this.#stopping)) this.#unfinished.add(slot)
  }

  /** Ends the service's input once all its writers have gone. @returns false: it has none */
  endInput(slot: string): boolean {
    const pipe = this.#known.get(slot)?.programs.reads
    if (pipe !== undefined) this.#options.pipes.close(pipe)
    return pipe !== undefined
  }

  /** @throws Error if there is no such service or program */
  command(slot: string, program: 'run' | 'finish'): StartCommand {
    const known = this.#known.get(slot)
    if (known === undefined) throw new Error('the image defines no such service')
    if (program === 'run') this.#takeNext(known)
    const { programs } = known
    if (program === 'finish') this.forgetFinish(slot)
    const argv = program === 'run' ? programs.run : this.#finishCommand(known)
    const start = this.#becoming(slot, programs, argv)
    if (program === 'finish') return start
    return { ...start, ...this.#openPipes(programs) }
  }

  #takeNext(known: Known): void {
    if (known.isRemoved) throw new Error('the image does not define this service any more')
    if (known.next !== undefined) known.programs = known.next
    delete known.next
  }

  /** Both, or none: a start that fails is tried again, and must not cost a descriptor each time. */
  #openPipes({ reads, writes }: Programs): Pick<StartCommand, 'stdin' | 'stdout'> {
    const { pipes } = this.#options
    const stdin = reads === undefined ? undefined : pipes.open(reads, 'read')
    try {
      const stdout = writes === undefined ? undefined : pipes.open(writes, 'write')
      return { ...(stdin !== undefined && { stdin }), ...(stdout !== undefined && { stdout }) }
    } catch (error) {
      if (stdin !== undefined) closeSync(stdin)
      throw error
    }
  }

  /** With s6's arguments: exit code or 256, signal or 0, name, process group. */
  #finishCommand({ programs, lastEnding }: Known): readonly string[] {
    const { name, oneshot, finish } = programs
    if (finish === undefined) throw new Error('it has no finish program')
    if (oneshot) return finish
    const { pid, ending } = lastEnding ?? { pid: 0, ending: { exitCode: 0 } }
    const how = 'exitCode' in ending ? [`${ending.exitCode}`, '0'] : ['256', `${SIGNALS[ending.signal]}`]
    return [...finish, ...how, name, `${pid}`]
  }

  #becoming(slot: string, programs: Programs, argv: readonly string[]): Omit<StartCommand, 'stdin' | 'stdout'> {
    const { user, inServiceDir } = programs
    const { dir, uid, root, scanDir, runtimeUser } = this.#options
    mkdirSync(dir, { recursive: true, mode: 0o711 })
    const cwd = inServiceDir ? serviceView(join(dir, 'cwd'), programs.cwd, join(scanDir, slot)) : programs.cwd
    if (user === undefined || user.uid === uid) {
      // root:group, which is root still, but with that group alone.
      const prefix = user !== undefined && uid === 0 && user.gid !== 0 ? setprivPrefix(user) : []
      const start = { argv: [...prefix, ...argv], env: this.#rootEnvironment(programs) }
      return { ...withBytes(start, join(dir, slot)), cwd }
    }
    // Set after root is dropped: setpriv runs as root, and would obey variables set by others. The same holds for the
    // directory: root would follow a link of the user's to a place that the user cannot reach.
    const script = join(dir, slot)
    const container = this.#options.container()
    const names = { HOME: user.home, USER: user.name, LOGNAME: user.name }
    rmSync(script, { force: true })
    const variables = Object.entries({ ...withoutSecrets(container), ...names, ...programs.variables })
    const text = [
      `cd -- ${shellQuote(cwd)} || exit 111`,
      'unset OLDPWD',
      ...exportLines(variables),
      `${execWith(variables)} "$@"`,
    ]
    writeFileSync(script, encodeBytes(`${text.join('\n')}\n`), { mode: 0o400, flag: 'wx' })
    lchownSync(script, user.uid, user.gid)
    return {
      argv: [
        ...setprivPrefix(user, user.uid === runtimeUser.uid ? runtimeUser.restrictions : []),
        '/bin/sh',
        script,
        ...argv,
      ],
      env: { PATH: root.path(container) },
      cwd: '/',
    }
  }

  #rootEnvironment({ inherits, variables, user }: Programs): Variables {
    const { root } = this.#options
    if (inherits === 'path') return { PATH: root.path(), ...variables }
    const names = user !== undefined && { HOME: user.home, USER: user.name, LOGNAME: user.name }
    return { ...withoutSecrets(root.variables()), ...names, ...variables }
  }
}
