import { countLines } from '../../log/lines.ts'
import type { ActionResult, Operations, SlotAction, SlotStatus, StatusResult } from '../../protocol/control.ts'
import type { ToInit } from '../../protocol/init.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { stateWords } from '../../protocol/state-words.ts'
import { serviceOfSlot } from '../../services/definition.ts'
import { childOf, type SlotEvent } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { profileDir, profileOfSlot } from '../../system/paths.ts'
import type { Follower, Handlers } from '../control/server.ts'
import type { Unwalling } from '../reconcile/unwalling.ts'
import type { ServiceSlots } from '../services/image-services.ts'
import type { ScheduledGateways } from '../services/scheduled-gateways.ts'
import type { ServiceReload } from '../services/service-reload.ts'
import type { WaitingGateways } from '../services/waiting-gateways.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { SlotLogs } from '../slots/logs.ts'
import type { SlotTable } from '../slots/table.ts'
import type { StatusAdvice } from './advice.ts'
import type { GatewayFiles } from './gateway-files.ts'
import type { HelperWatch } from './helper-watch.ts'
import { Jobs } from './jobs.ts'
import type { Ownership } from './ownership.ts'
import { Registration } from './registration.ts'
import { type Asked, type ContainerLife, DEFAULT_WAIT_MS, RequestGate } from './request-gate.ts'
import { requireSlot } from './slot-lookup.ts'
import { deathOf, slotStatus, slotWarnings } from './slot-status.ts'
import type { Goal, SlotWaiters } from './slot-waiters.ts'
import type { WorkersDeadline } from './workers-deadline.ts'

export interface OperationsOptions {
  readonly container: ContainerFacts
  readonly clock: Clock
  readonly send: (message: ToInit) => void
  readonly slots: OperatedSlots
  readonly life: ContainerLife
  readonly ownership: Pick<Ownership, 'ensure'>
  readonly helpers: Pick<HelperWatch, 'alive'>
  readonly workers: Pick<WorkersDeadline, 'set' | 'check'>
  readonly reload: Pick<ServiceReload, 'run'>
  readonly unwalling: Pick<Unwalling, 'run'>
  readonly advice: Pick<StatusAdvice, 'warnings' | 'needsAgent'>
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
  readonly waiting: Pick<WaitingGateways, 'note'>
  readonly scheduled: Pick<ScheduledGateways, 'note'>
}

/** Operations for clients of the control socket. */
export class SlotOperations {
  readonly #options: OperationsOptions
  readonly #eventFollowers = new Set<Follower>()
  readonly #gate: RequestGate
  readonly #registration: Registration
  readonly #jobs: Jobs

  constructor(options: OperationsOptions) {
    this.#options = options
    const { clock, life, slots, container } = options
    const { home } = container
    const { table } = slots
    this.#gate = new RequestGate(clock, life)
    this.#registration = new Registration({ home, clock, table, gate: this.#gate, reconcile: () => life.reconcile() })
    this.#jobs = new Jobs(home, table)
  }

  readonly handlers: Handlers = {
    ping: async (request) => {
      if (request.booted) await this.#gate.untilBooted(DEFAULT_WAIT_MS, request)
      const { linesLost } = this.#options.slots.logs
      return {
        instance: this.#options.container.instance,
        pid: process.pid,
        ...(linesLost > 0 && { linesLost }),
      }
    },
    status: async (request) => {
      const { slot } = request
      if (slot !== undefined) await this.#gate.untilKnown(this.#options.slots.table, [slot], request)
      return this.#status(slot)
    },
    alive: ({ slot }) => ({ againMs: this.#options.helpers.alive(slot) }),
    start: (request) => this.act(request, 'start'),
    stop: (request) => this.act(request, 'stop'),
    restart: (request) => this.act(request, 'restart'),
    signal: async (request) => {
      await this.#gate.untilKnown(this.#options.slots.table, [request.slot], request)
      return this.#signal(request)
    },
    reconcile: async (request) => {
      await this.#gate.untilRunning(DEFAULT_WAIT_MS, request)
      return { steps: this.#options.life.reconcile() }
    },
    'reload-services': async ({ dryRun = false, timeoutMs = DEFAULT_WAIT_MS, ...asked }) => {
      await this.#gate.untilRunning(timeoutMs, asked)
      return this.#options.reload.run(dryRun, timeoutMs)
    },
    unwall: async ({ profile, belowInit = false }) => {
      await this.#gate.untilRunning(DEFAULT_WAIT_MS, { belowInit })
      if (belowInit)
        throw new HermesError('REFUSED', 'a program in a slot cannot take a wall down', { next: 'use docker exec' })
      await this.#options.unwalling.run(profile)
      return {}
    },
    register: async (request) => ({ slot: this.#statusOf(await this.#registration.register(request)) }),
    unregister: (request) => this.#registration.unregister(request),
    deaths: async (request) => {
      const { slot } = request
      await this.#gate.untilKnown(this.#options.slots.table, [slot], request)
      return { deaths: this.#entry(slot).slot.deaths.map(deathOf) }
    },
    events: (_request, follower) => {
      this.#eventFollowers.add(follower)
      follower.onClose(() => this.#eventFollowers.delete(follower))
      return {}
    },
    logs: async (request, follower) => {
      await this.#gate.untilKnown(this.#options.slots.table, request.slots, request)
      return this.#followLogs(request.slots, follower)
    },
    job: async (request) => {
      await this.#gate.untilRunning(DEFAULT_WAIT_MS, request)
      this.#options.workers.check(request.nodeEpoch)
      return this.#jobs.start(request)
    },
    'node-lease': (request) => {
      this.#options.workers.set(request)
      return {}
    },
    'job-result': ({ slot }) => this.#jobs.result(slot),
    'job-take': ({ slot }) => this.#jobs.take(slot),
  }

  /** A slot has changed, or is gone: notifies the followers. */
  notify(type: 'slot' | 'removed', entry: SlotEntry): void {
    this.#registration.changed()
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
    { slot: key, wait = false, timeoutMs = DEFAULT_WAIT_MS, keepDesired = false, ...asked }: SlotAction & Asked,
    verb: 'start' | 'stop' | 'restart',
  ): Promise<ActionResult> {
    await this.#gate.untilRunning(timeoutMs, asked)
    const { table, waiters, services, scheduled } = this.#options.slots
    const { heldSlot } = this.#options.container
    if (key === heldSlot) throw isMainProgram(key, verb)
    this.#registration.findOrReconcile(key)
    const profile = profileOfSlot(key)
    if (profile !== undefined) await this.#options.ownership.ensure(profile)
    const before = this.#statusOf(this.#entry(key))
    const notKept = keepDesired ? undefined : this.storeDesired(key, verb === 'stop' ? 'stopped' : 'running')
    const event: SlotEvent =
      verb === 'restart' ? { type: 'restart' } : { type: 'want', wanted: verb === 'start' ? 'up' : 'down' }
    if (serviceOfSlot(key) === undefined) table.dispatch(key, event)
    else services.command(verb, key)
    const after = this.#statusOf(this.#entry(key))
    const changed = after.state !== before.state || after.wanted !== before.wanted || verb === 'restart'
    const goal: Goal = verb === 'stop' ? 'down' : 'up'
    // A service with a schedule is done with it once it knows when.
    if (wait && (services.note(key).nextStartAtMs ?? scheduled.note(key).nextStartAtMs) === undefined)
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
    const { services, waiting, scheduled } = this.#options.slots
    const note =
      entry.key === heldSlot
        ? { reason: MAIN_PROGRAM }
        : {
            ...services.note(entry.key),
            ...waiting.note(entry.key),
            ...scheduled.note(entry.key),
            ...this.#secretsNote(entry.key),
          }
    return slotStatus(entry, home, clock, { ...note, health: this.#options.slots.table.health(entry.key) })
  }

  #secretsNote(key: string): { readonly reason?: string } {
    const names = this.#options.slots.table.awaitedSecrets(key)
    if (names === undefined) return {}
    return { reason: `waits for its ${names.length === 1 ? 'secret' : 'secrets'} ${names.join(', ')}` }
  }

  #signal({ slot, signal, group = false }: Operations['signal']['request']): ActionResult {
    const entry = this.#entry(slot)
    const child = childOf(entry.slot)
    if (child === null)
      throw new HermesError(
        'FAILED',
        `${slot} has no process to send SIG${signal} to: it is ${stateWords(entry.slot.state)}`,
      )
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

  #entry(key: string): SlotEntry {
    return requireSlot(this.#options.slots.table, key)
  }
}

/** `gateway-default` first, then by name. */
const bySlot = (a: SlotEntry, b: SlotEntry): number =>
  Number(b.key === 'gateway-default') - Number(a.key === 'gateway-default') || (a.key < b.key ? -1 : 1)

const MAIN_PROGRAM = "the gateway runs as the container's main program (gateway run --no-supervise)"

const isMainProgram = (key: string, verb: string): HermesError =>
  new HermesError('REFUSED', `cannot ${verb} ${key}: ${MAIN_PROGRAM}`, {
    next:
      `${verb} the container instead (docker ${verb} NAME); ` +
      'or run it without --no-supervise and HERMES_GATEWAY_NO_SUPERVISE',
  })
