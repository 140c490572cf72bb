import { existsSync } from 'node:fs'
import { countLines } from '../../log/lines.ts'
import type {
  ActionResult,
  JobResult,
  Operations,
  SlotAction,
  SlotStatus,
  StatusResult,
} from '../../protocol/control.ts'
import type { ToInit } from '../../protocol/init.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../../protocol/volume-user.ts'
import { serviceOfSlot } from '../../services/definition.ts'
import { childOf, type SlotEvent } from '../../slot/slot.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { profileDir, profileOfSlot } from '../../system/paths.ts'
import { nearest } from '../../system/text/nearest.ts'
import type { Follower, Handlers } from '../control/server.ts'
import type { ServiceSlots } from '../services/image-services.ts'
import { jobResult } from '../slots/job-results.ts'
import type { SlotLogs } from '../slots/logs.ts'
import type { SlotEntry, SlotTable } from '../slots/table.ts'
import type { Advice } from './advice.ts'
import type { GatewayFiles } from './gateway-files.ts'
import type { HelperWatch } from './helper-watch.ts'
import type { Ownership } from './ownership.ts'
import { deathOf, slotStatus, slotWarnings } from './slot-status.ts'
import type { Goal, SlotWaiters } from './slot-waiters.ts'

/** Default time that a client waits: longer than a start with the default `start_timeout`. */
const DEFAULT_WAIT_MS = 90_000
/**
 * A question about a slot is answered sooner, however long the hooks of the boot take: clients wait for twice as long.
 */
const QUESTION_WAIT_MS = 5_000

export interface OperationsOptions {
  readonly container: ContainerFacts
  readonly clock: Clock
  readonly send: (message: ToInit) => void
  readonly slots: OperatedSlots
  readonly life: ContainerLife
  readonly ownership: Pick<Ownership, 'ensure'>
  readonly helpers: Pick<HelperWatch, 'alive'>
  readonly advice: Pick<Advice, 'warnings' | 'needsAgent'>
}

/** Facts that do not change while a container lives. */
export interface ContainerFacts {
  readonly home: string
  /** The container's main program is the gateway of this slot. */
  readonly heldSlot: string | undefined
  readonly instance: string
  readonly manager: StatusResult['manager']
  readonly version: string
  readonly pid1: boolean
  readonly identity: RuntimeIdentity
}

export interface OperatedSlots {
  readonly table: SlotTable
  readonly logs: SlotLogs
  readonly files: GatewayFiles
  readonly waiters: SlotWaiters
  readonly services: ServiceSlots
}

/** Phase of the container's life (`Life`). */
export interface ContainerLife {
  readonly phase: StatusResult['phase']
  /** Resolves when the boot is over, whatever it led to. */
  whenBooted(): Promise<void>
  /** The container that holds the volume, if it is another one. */
  holder(): string | undefined
  holderHost(): string | undefined
  /** Reason why that is unknown, while the gateways wait for it. */
  obstacle(): string | undefined
  reconcile(): readonly string[]
}

/** Operations for clients of the control socket. */
export class SlotOperations {
  readonly #options: OperationsOptions
  readonly #eventFollowers = new Set<Follower>()
  /** Resolves with the next change of any slot; undefined: no waiters. */
  #slotChange: PromiseWithResolvers<void> | undefined

  constructor(options: OperationsOptions) {
    this.#options = options
  }

  readonly handlers: Handlers = {
    ping: async ({ booted }) => {
      if (booted) await this.#untilBooted(DEFAULT_WAIT_MS)
      return { instance: this.#options.container.instance, pid: process.pid }
    },
    status: async ({ slot }) => {
      if (slot !== undefined) await this.#untilKnown([slot])
      return this.#status(slot)
    },
    alive: ({ slot }) => ({ againMs: this.#options.helpers.alive(slot) }),
    start: (request) => this.act(request, 'start'),
    stop: (request) => this.act(request, 'stop'),
    restart: (request) => this.act(request, 'restart'),
    signal: async (request) => {
      await this.#untilKnown([request.slot])
      return this.#signal(request)
    },
    reconcile: async () => {
      await this.#untilRunning(DEFAULT_WAIT_MS)
      return { steps: this.#options.life.reconcile() }
    },
    register: async ({ slot, timeoutMs = DEFAULT_WAIT_MS }) => {
      const late = `the slot "${slot}" did not appear in time`
      return { slot: this.#statusOf(await this.#settled(timeoutMs, late, () => this.#registered(slot))) }
    },
    unregister: async ({ slot, timeoutMs = DEFAULT_WAIT_MS }) => {
      const late = `the slot "${slot}" is still there after ${timeoutMs / 1000} s`
      await this.#untilRunning(timeoutMs)
      this.#options.life.reconcile()
      return await this.#settled(timeoutMs, late, () => this.#unregistered(slot))
    },
    deaths: async ({ slot }) => {
      await this.#untilKnown([slot])
      return { deaths: this.#entry(slot).slot.deaths.map(deathOf) }
    },
    events: (_request, follower) => {
      this.#eventFollowers.add(follower)
      follower.onClose(() => this.#eventFollowers.delete(follower))
      return {}
    },
    logs: async ({ slots }, follower) => {
      await this.#untilKnown(slots)
      return this.#followLogs(slots, follower)
    },
    job: (request) => this.#job(request),
    'job-result': ({ slot }) => {
      const entry = this.#jobEntry(slot)
      return jobResult(entry.slot) ?? noResult(entry)
    },
    'job-take': ({ slot }) => {
      const entry = this.#jobEntry(slot)
      const result = jobResult(entry.slot)
      if (result?.state !== 'running') this.#options.slots.table.remove(slot)
      return result ?? noResult(entry)
    },
  }

  /** A slot has changed, or is gone: notifies the followers. */
  notify(type: 'slot' | 'removed', entry: SlotEntry): void {
    this.#slotChange?.resolve()
    this.#slotChange = undefined
    if (this.#eventFollowers.size === 0) return
    const message = {
      type,
      at: new Date(this.#options.clock.wallMs()).toISOString(),
      slot: this.#statusOf(entry),
    } as const
    for (const follower of this.#eventFollowers) follower.send(message)
  }

  /** An operator's command. It is stored before it is carried out, so that a crash in between does not lose it. */
  async act(
    { slot: key, wait = false, timeoutMs = DEFAULT_WAIT_MS, keepDesired = false }: SlotAction,
    verb: 'start' | 'stop' | 'restart',
  ): Promise<ActionResult> {
    await this.#untilRunning(timeoutMs)
    const { table, waiters, services } = this.#options.slots
    const { heldSlot } = this.#options.container
    if (key === heldSlot) throw isMainProgram(key, verb)
    this.#findOrReconcile(key)
    const profile = profileOfSlot(key)
    if (profile !== undefined) await this.#options.ownership.ensure(profile)
    const before = this.#statusOf(this.#entry(key))
    const notKept = keepDesired ? undefined : this.storeDesired(key, verb === 'stop' ? 'stopped' : 'running')
    const event: SlotEvent =
      verb === 'restart' ? { type: 'restart' } : { type: 'want', wanted: verb === 'start' ? 'up' : 'down' }
    if (serviceOfSlot(key) === undefined) table.dispatch(key, event)
    else services.say(verb, key)
    const after = this.#statusOf(this.#entry(key))
    const changed = after.state !== before.state || after.wanted !== before.wanted || verb === 'restart'
    const goal: Goal = verb === 'stop' ? 'down' : 'up'
    // A service with a schedule is done with it once it knows when.
    if (wait && services.note(key).nextStartAtMs === undefined)
      await waiters.waitFor(key, goal, timeoutMs, () => table.get(key)?.slot)
    if (notKept !== undefined) throw notKept
    return { changed, slot: this.#statusOf(this.#entry(key)) }
  }

  /** @returns the error to report to the operator if it could not be written */
  storeDesired(key: string, state: 'running' | 'stopped'): HermesError | undefined {
    this.#options.slots.table.setNormallyUp(key, state === 'running')
    return this.writeDesired(key, state)
  }

  /** @returns the error to report to the operator if it could not be written */
  writeDesired(key: string, state: 'running' | 'stopped'): HermesError | undefined {
    const profile = profileOfSlot(key)
    if (profile === undefined) return undefined
    try {
      this.#options.slots.files.want(profile, state)
      return undefined
    } catch (cause) {
      const what = `${key} has changed now, but ${profileDir(this.#options.container.home, profile)}/desired_state could not be written`
      return new HermesError('FAILED', `${what}: ${(cause as Error).message}`, {
        next: 'free some disk space, then repeat the command; until then the next boot uses the previous desired state',
        cause,
      })
    }
  }

  #status(only: string | undefined): StatusResult {
    const { slots, life, advice } = this.#options
    const { manager, version, pid1, identity } = this.#options.container
    const { phase } = life
    const entries = only === undefined ? slots.table.entries() : [this.#entry(only)]
    const all = [...slotWarnings(entries), ...(only === undefined ? advice.warnings(life.obstacle()) : [])]
    const [who, host] = phase === 'waiting' ? [life.holder(), life.holderHost()] : []
    return {
      manager,
      version,
      pid1,
      identity: { uid: identity.uid, gid: identity.gid },
      phase,
      ...(who !== undefined && { holder: who }),
      ...(host !== undefined && { holderHost: host }),
      slots: [...entries].sort(bySlot).map((entry) => this.#statusOf(entry)),
      warnings: all.map(({ text }) => text),
      warningFacts: all.map(({ text: _, ...fact }) => fact),
      ...(only === undefined && { needsAgent: this.#options.advice.needsAgent() }),
    }
  }

  #statusOf(entry: SlotEntry): SlotStatus {
    const { clock } = this.#options
    const { home, heldSlot } = this.#options.container
    const { services } = this.#options.slots
    const note = entry.key === heldSlot ? { reason: MAIN_PROGRAM } : services.note(entry.key)
    return slotStatus(entry, home, clock, note)
  }

  #signal({ slot, signal, group = false }: Operations['signal']['request']): ActionResult {
    const entry = this.#entry(slot)
    const child = childOf(entry.slot)
    if (child === null)
      throw new HermesError('FAILED', `${slot} has no process to send SIG${signal} to: it is ${entry.slot.state}`)
    this.#options.send({ type: 'signal', child: child.id, signal, target: group ? 'group' : 'process' })
    return { changed: true, slot: this.#statusOf(entry) }
  }

  #followLogs(slots: readonly string[], follower: Follower): Record<never, never> {
    for (const slot of slots) this.#entry(slot)
    for (const slot of slots) {
      const stop = this.#options.slots.logs.follow(slot, (wholeLines) => {
        // A slot at full speed and a reader that is not: counting costs a tenth of what making the event would.
        if (follower.isBehind) return follower.missLines(slot, countLines(wholeLines))
        const lines = wholeLines.toString('utf8').split('\n')
        lines.pop() // what follows the last newline: nothing
        follower.send({ slot, lines })
      })
      follower.onClose(stop)
    }
    return {}
  }

  async #job(request: Operations['job']['request']): Promise<JobResult> {
    await this.#untilRunning(DEFAULT_WAIT_MS)
    const { slot, profile, command, cwd, env, logFile, stdinFile, resultFile, stopTimeoutMs } = request
    const { table } = this.#options.slots
    const { home } = this.#options.container
    if (table.get(slot) !== undefined) throw new HermesError('EXISTS', `the job ${slot} already exists`)
    if (profile !== 'default' && !existsSync(profileDir(home, profile)))
      throw new HermesError('NO_SUCH_PROFILE', `no profile ${JSON.stringify(profile)} in ${home}/profiles`)
    table.register(slot, true, {
      slot,
      profile,
      command,
      cwd,
      env,
      logFile,
      ...(stdinFile !== undefined && { stdinFile }),
      ...(resultFile !== undefined && { resultFile }),
      ...(stopTimeoutMs !== undefined && { stopTimeoutMs }),
    })
    return { state: 'running' }
  }

  #jobEntry(slot: string): SlotEntry {
    const entry = this.#entry(slot)
    if (entry.job === undefined) throw new HermesError('BAD_REQUEST', `${slot} is not a job`)
    return entry
  }

  #entry(key: string): SlotEntry {
    const entry = this.#options.slots.table.get(key)
    if (entry !== undefined) return entry
    const near = nearest(
      key,
      this.#options.slots.table.entries().map(({ key }) => key),
    )
    throw new HermesError('NO_SUCH_SLOT', `no slot ${JSON.stringify(key)}`, {
      next:
        near === undefined ? '"hermes status" shows the slots' : `did you mean "${near}"? "hermes status" shows all`,
    })
  }

  /** Looks at each change of a slot whether it led to a result. @param late message when there is none in time */
  async #settled<T>(timeoutMs: number, late: string, look: () => T | undefined): Promise<T> {
    const { clock } = this.#options
    const untilMs = clock.nowMs() + timeoutMs
    await this.#untilRunning(timeoutMs)
    for (;;) {
      this.#requireRunning()
      const found = look()
      if (found !== undefined) return found
      this.#slotChange ??= Promise.withResolvers()
      const leftMs = untilMs - clock.nowMs()
      if (leftMs > 0 && (await inTime(clock, leftMs, this.#slotChange.promise))) continue
      throw new HermesError('TIMED_OUT', late, { next: 'hermes logs supervisor' })
    }
  }

  /** A slot of that name that is to go, or that runs in the directory, has to be gone first. */
  #registered(key: string): SlotEntry | undefined {
    const { table } = this.#options.slots
    if (table.get(key) === undefined) this.#options.life.reconcile()
    const entry = table.get(key)
    if (entry?.removing === false) return entry
    return this.#isOnDisk(key) ? undefined : this.#entry(key)
  }

  /** The plan confirms that the directory is gone before it removes the slot, and looks again for that by itself. */
  #unregistered(key: string): Record<never, never> | undefined {
    const entry = this.#options.slots.table.get(key)
    if (entry === undefined) return {}
    if (entry.removing || !this.#isOnDisk(key)) return undefined
    throw new HermesError('REFUSED', `the slot "${key}" stays: its profile is still there`, {
      next: 'remove the profile first',
    })
  }

  #isOnDisk(key: string): boolean {
    const profile = profileOfSlot(key)
    return profile !== undefined && existsSync(profileDir(this.#options.container.home, profile))
  }

  /** A profile that was made a moment ago need not wait for the watcher. */
  #findOrReconcile(key: string): SlotEntry {
    if (this.#options.slots.table.get(key) === undefined && profileOfSlot(key) !== undefined)
      this.#options.life.reconcile()
    return this.#entry(key)
  }

  /** A command given during the boot (`docker run -d …; docker exec …`) is carried out after it. */
  async #untilRunning(timeoutMs: number): Promise<void> {
    await this.#untilBooted(timeoutMs)
    this.#requireRunning()
  }

  /** The same for a query about a slot: the boot registers the slots one after the other. */
  async #untilKnown(keys: readonly string[]): Promise<void> {
    const isMissing = (): boolean => keys.some((key) => this.#options.slots.table.get(key) === undefined)
    if (isMissing()) await this.#untilBooted(QUESTION_WAIT_MS)
    if (isMissing() && this.#options.life.phase === 'booting') throw stillBooting()
  }

  async #untilBooted(timeoutMs: number): Promise<void> {
    const { clock, life } = this.#options
    if (life.phase === 'booting') await inTime(clock, timeoutMs, life.whenBooted())
  }

  #requireRunning(): void {
    switch (this.#options.life.phase) {
      case 'running':
        return
      case 'stopping':
        throw new HermesError('STOPPING', 'the container is stopping')
      case 'waiting': {
        const obstacle = this.#options.life.obstacle()
        if (obstacle !== undefined)
          throw new HermesError('VOLUME_BUSY', `cannot tell which container uses this volume: ${obstacle}`, {
            next: 'remove it; this container then continues by itself',
          })
        throw new HermesError('VOLUME_BUSY', volumeUserText(this.#options.life.holderHost()), {
          next: FREE_THE_VOLUME,
        })
      }
      case 'booting':
        throw stillBooting()
    }
  }
}

/** `gateway-default` first, then by name. */
const bySlot = (a: SlotEntry, b: SlotEntry): number =>
  Number(b.key === 'gateway-default') - Number(a.key === 'gateway-default') || (a.key < b.key ? -1 : 1)

const stillBooting = (): HermesError =>
  new HermesError('TIMED_OUT', 'the container is still booting', {
    next: 'see "hermes logs supervisor" and the container\'s own output',
  })

const MAIN_PROGRAM = "the gateway runs as the container's main program (gateway run --no-supervise)"

const isMainProgram = (key: string, verb: string): HermesError =>
  new HermesError('REFUSED', `cannot ${verb} ${key}: ${MAIN_PROGRAM}`, {
    next:
      `${verb} the container instead (docker ${verb} NAME); ` +
      'or run it without --no-supervise and HERMES_GATEWAY_NO_SUPERVISE',
  })

/** There is no ending to report, and none is invented. */
function noResult({ key, slot }: SlotEntry): never {
  const reason = slot.state === 'down' ? slot.reason : undefined
  throw new HermesError('FAILED', `${key} has no result: ${reason ?? 'it was stopped before it ran'}`, {
    detail: reason === undefined ? 'STOPPED_BEFORE_RUN' : 'NO_RESULT',
  })
}
