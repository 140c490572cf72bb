/** `hermes kanban dispatcher`: ticks every board of a home, in time and whenever something has changed. */

import { join } from 'node:path'
import { type ControlClient, connectControl } from '../../control/client.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import { pause } from '../../system/clock.ts'
import { errorLine, HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import type { Installation } from '../installation.ts'
import { supervisorJobs } from '../jobs/jobs.ts'
import { tickLine } from '../log-line.ts'
import type { LeaseKeeper } from '../nodes/lease-keeper.ts'
import { Profiles } from '../nodes/profiles.ts'
import type { BoardPlace } from '../port/board.ts'
import { type Boards, isAway } from '../port/boards.ts'
import { runRoutines } from '../routines/make.ts'
import { rulesInForce } from '../rules.ts'
import { LOOK_AGAIN, type OpenBoard, OpenBoards } from '../store/open-boards.ts'
import { DEFAULT_BOARD } from '../store/places.ts'
import { type Dispatched, dispatchOnce } from './dispatch.ts'
import { keepDispatchState, readDispatchState } from './dispatch-state.ts'
import { DispatcherLog } from './dispatcher-log.ts'
import { Outage } from './outage.ts'
import { readWrittenRules } from './settings.ts'
import { WakeableTimer } from './wakeable-timer.ts'

const FIRST_TICK_MS = 5000
/** Interval between checks whether a board has been written: a look at shared memory, not a query. */
const LOOK_MS = 1000
/** Minimum time between two ticks, however much changes. */
const GAP_MS = 200

/** The lease of this node, as far as ticks need it. */
export type LeaseOfNode = Pick<LeaseKeeper, 'holds' | 'release'>

export interface DispatcherOptions extends Installation {
  /** The caller's to close. */
  readonly boards: Boards
  readonly controlSocket: string
  /** Of this node, for boards in a database; absent: it has none, and starts no worker of theirs. */
  readonly lease?: LeaseOfNode | undefined
  /** One line without its newline. */
  readonly log: (level: Level, text: string) => void
  /** It works from here on. */
  readonly ready: () => void
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #boards: OpenBoards
  readonly #log: DispatcherLog
  readonly #timer: WakeableTimer
  readonly #following = new AbortController()
  readonly #outage = new Outage()
  readonly #isAllowed = new ConfigCache(({ config }) => config.kanban.dispatchInGateway)

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#log = new DispatcherLog(options.log)
    this.#timer = new WakeableTimer(options.clock)
    this.#boards = new OpenBoards(options.boards, this.#log.warn)
  }

  /** @throws HermesError NO_SUPERVISOR when none answers at the start */
  async run(): Promise<void> {
    const { clock, controlSocket, ready } = this.#options
    const client = await connectControl(controlSocket, clock)
    try {
      this.#firstRules()
      ready()
      void this.#followJobs(client)
      await this.#timer.sleepUntil(clock.nowMs() + FIRST_TICK_MS, false)
      while (!this.#timer.ended) {
        await this.#round(client)
        if (this.#timer.pending) await this.#timer.sleepUntil(clock.nowMs() + GAP_MS, false)
        else await this.#timer.sleepUntil(clock.nowMs() + LOOK_MS, true)
      }
      await this.#settle(client)
      await this.#releaseLease(client)
    } finally {
      // Also when something unforeseen ends it: anything still running would keep alive a process that dispatches
      // nothing.
      this.end()
      client.close()
      for (const { place } of this.#boards.all()) await this.#boards.close(place.slug)
    }
  }

  /** Ends after the step that is under way. */
  end(): void {
    this.#timer.end()
    this.#following.abort()
  }

  /** Without a lease, no worker is started: nothing would end it in time. */
  #mayStart(): boolean {
    const { lease, boards } = this.#options
    return boards.kept === 'files' || lease?.holds === true
  }

  /** Wakes it for a tick, once the node has its lease. */
  wake(): void {
    // The database has given it, so it is not waited for any longer.
    this.#outage.hasSign()
    this.#timer.wake()
  }

  /** Work that was finished just before the end must not be repeated in the next life. */
  async #settle(client: ControlClient): Promise<void> {
    const { home, clock, host, builtIn } = this.#options
    for (const { board, place } of this.#boards.all()) {
      try {
        const jobs = await supervisorJobs(client)
        await dispatchOnce({ home, board, clock, host, jobs, builtIn, warn: this.#log.warn, settleOnly: true })
      } catch (error) {
        this.#log.once(
          'warn',
          `board ${place.slug}: last results not taken: ${(error as Error).message}`,
          `board:${place.slug}`,
        )
      }
    }
  }

  /** The other nodes need not wait for the end of the lease: the container stops, and no worker of it runs. */
  async #releaseLease(client: ControlClient): Promise<void> {
    const { lease } = this.#options
    if (lease === undefined) return
    try {
      const { phase, slots } = await client.request('status', {})
      const works = slots.some(({ slot, state }) => slot.startsWith('job-') && state !== 'down')
      if (phase === 'stopping' && !works) await lease.release()
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      // The supervisor has ended; the lease lapses by itself.
    }
  }

  async #round(client: ControlClient): Promise<void> {
    const woken = this.#timer.take()
    const { boards, clock, home } = this.#options
    // With a board in a database this process runs in any case: commands reach the board through it.
    if (boards.kept === 'database' && !this.#isAllowed.of(join(home, 'config.yaml'))) return
    if (this.#outage.waits(clock.nowMs())) return
    try {
      await this.#lookAtAll(woken, client)
      const awayMs = this.#outage.answered(clock.nowMs())
      if (awayMs !== undefined)
        this.#log.log('info', `kanban dispatcher: the database answers again after ${Math.ceil(awayMs / 1000)} s`)
    } catch (error) {
      if (!isAway(error)) throw error
      if (this.#outage.failed(clock.nowMs()))
        this.#log.log('error', `kanban dispatcher: ${errorLine(error)}; it is tried again until it answers`)
      // Opened again, each is looked at, whatever its version was.
      for (const { place } of this.#boards.all()) await this.#boards.close(place.slug)
    }
  }

  /** @throws HermesError when their database is away */
  async #lookAtAll(woken: boolean, client: ControlClient): Promise<void> {
    const { clock, home } = this.#options
    const places = await this.#places()
    let intervalMs: number | undefined
    for (const place of places) {
      if (this.#timer.ended) return
      const open = await this.#open(place)
      if (open === undefined) continue
      try {
        const version = await open.board.version()
        intervalMs ??= readWrittenRules(home).dispatchIntervalSeconds * 1000
        const due =
          woken || version !== open.version || clock.nowMs() - open.tickedAtMs >= intervalMs || hasDue(open, clock)
        if (!due) continue
        open.version = version
        open.tickedAtMs = clock.nowMs()
        await this.#tick(open, client)
      } catch (error) {
        if (isAway(error)) throw error
        await this.#failed(open, error)
      }
    }
    for (const { place } of this.#boards.all())
      if (!places.some(({ slug }) => slug === place.slug)) await this.#boards.close(place.slug)
  }

  async #tick(open: OpenBoard, client: ControlClient): Promise<void> {
    const { board, place } = open
    const { home, clock, host, builtIn, nodeLabels } = this.#options
    await this.#makeRoutines(open)
    const jobs = await supervisorJobs(client)
    let hasProblem = false
    const done = await dispatchOnce({
      home,
      board,
      clock,
      host,
      jobs,
      builtIn,
      nodeLabels,
      warn: (text) => {
        hasProblem = true
        this.#log.warn(text, `tick:${place.slug}`)
      },
      ending: () => this.#timer.ended || !this.#mayStart(),
    })
    this.#log.rules(done, place.slug)
    if (!hasProblem) this.#log.forget(`tick:${place.slug}`)
    const line = tickLine(place.slug, done.report)
    if (line !== undefined) this.#log.log('info', line)
    if (!isSettled(done)) open.version = LOOK_AGAIN
    if (done.report.skipped_locked) {
      const text = `board ${place.slug}: another dispatcher holds it; asking again`
      this.#log.once('info', text, `board:${place.slug}`)
    } else this.#log.forget(`board:${place.slug}`)
  }

  /** A board in a database has settings of its own, and profiles on other nodes; its first tick reads both. */
  #firstRules(): void {
    const { boards, home, nodeLabels } = this.#options
    if (boards.kept === 'database') return
    this.#log.rules(rulesInForce(readWrittenRules(home), new Profiles(home), { nodeLabels }), DEFAULT_BOARD)
  }

  /** Before the tick, so that it starts what they make. */
  async #makeRoutines(open: OpenBoard): Promise<void> {
    if (!this.#mayStart()) return
    const { slug } = open.place
    const { made, warnings, nextAtMs } = await runRoutines(open.board, this.#options.clock)
    open.routineAtMs = nextAtMs
    for (const line of made) this.#log.log('info', `kanban dispatcher: board ${slug}: ${line}`)
    if (warnings.length === 0) this.#log.forget(`routines:${slug}`)
    for (const line of warnings) this.#log.warn(`board ${slug}: ${line}`, `routines:${slug}`)
  }

  /** A failure of one board does not affect the others. */
  async #failed({ place, board }: OpenBoard, error: unknown): Promise<void> {
    const { home, clock, host, boards } = this.#options
    const problem = boards.problem(error, place, (text) => this.#log.log('error', text))
    const message = problem instanceof HermesError ? problem.message : String((problem as Error)?.stack ?? problem)
    this.#log.once('error', `board ${place.slug}: ${message}`, `board:${place.slug}`)
    await this.#boards.close(place.slug)
    const atMs = clock.wallMs()
    const known = readDispatchState(home, place.slug) ?? {
      boot: '',
      offsetMs: Math.round(atMs - clock.nowMs()),
      graceUntilMs: 0,
      report: null,
      busy: false,
      starvedTicks: 0,
    }
    keepDispatchState(
      { home, board, warn: this.#log.warn },
      { ...known, atMs, host, pid: process.pid, starvedTicks: known.starvedTicks + 1, lastError: message },
    )
  }

  async #open(place: BoardPlace): Promise<OpenBoard | undefined> {
    try {
      return await this.#boards.open(place)
    } catch (error) {
      if (isAway(error)) throw error
      this.#log.once('error', `board ${place.slug}: ${(error as Error).message}`, `board:${place.slug}`)
      return undefined
    }
  }

  async #places(): Promise<readonly BoardPlace[]> {
    try {
      return await this.#options.boards.list()
    } catch (error) {
      if (isAway(error)) throw error
      this.#log.once('error', (error as Error).message, 'dispatcher')
      return []
    }
  }

  /** A worker that has ended makes room now, not in a minute. */
  async #followJobs(client: ControlClient): Promise<void> {
    const { signal } = this.#following
    // A job that ended before we follow it causes no event; only a tick finds it.
    const onStart = (): void => this.#timer.wake()
    while (!this.#timer.ended) {
      try {
        for await (const { type, slot } of client.follow('events', {}, { signal, onStart })) {
          if (type === 'slot' && slot.slot.startsWith('job-') && slot.state === 'down') this.#timer.wake()
        }
      } catch (error) {
        if (!(error instanceof HermesError)) throw error
        // The supervisor is being restarted, or has too many followers: rely on ticks in the meantime.
      }
      await pause(this.#options.clock, LOOK_MS, signal)
      this.#timer.wake()
    }
  }
}

const hasDue = ({ routineAtMs }: OpenBoard, clock: Pick<Installation['clock'], 'wallMs'>): boolean =>
  routineAtMs !== undefined && clock.wallMs() >= routineAtMs

/** Nothing is left for the next look: the tick was ours, and the supervisor has answered all of it. */
const isSettled = ({ report, decision }: Dispatched): boolean =>
  !report.skipped_locked && ![...(decision?.reasons.values() ?? [])].some(({ why }) => why === 'unclear')
