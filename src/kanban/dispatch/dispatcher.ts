/** `hermes kanban dispatcher`: ticks every board of a home, in time and whenever something has changed. */
import { type ControlClient, connectControl } from '../../control/client.ts'
import { type Clock, pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { supervisorJobs } from '../jobs/jobs.ts'
import { tickLine } from '../log-line.ts'
import { troubleOf } from '../store/board.ts'
import { LOOK_AGAIN, type OpenBoard, OpenBoards } from '../store/open-boards.ts'
import { type BoardPlace, listBoards } from '../store/places.ts'
import { type Dispatched, dispatchOnce } from './dispatch.ts'
import { keepDispatchState, readDispatchState } from './dispatch-state.ts'
import { DispatcherVoice } from './dispatcher-log.ts'
import { readWrittenRules } from './settings.ts'
import { Nudges } from './wakeable-timer.ts'

const FIRST_TICK_MS = 5000
/** Interval between checks whether a board has been written: a look at shared memory, not a query. */
const LOOK_MS = 1000
/** Minimum time between two ticks, however much changes. */
const GAP_MS = 200

export interface DispatcherOptions {
  readonly home: string
  readonly controlSocket: string
  readonly clock: Clock
  readonly host: string
  readonly builtIn: (profile: string) => readonly string[]
  /** One line without its newline. */
  readonly say: (level: Level, text: string) => void
  /** It works from here on. */
  readonly ready: () => void
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #boards: OpenBoards
  readonly #voice: DispatcherVoice
  readonly #nudges: Nudges
  readonly #following = new AbortController()

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#voice = new DispatcherVoice(options.say)
    this.#nudges = new Nudges(options.clock)
    this.#boards = new OpenBoards(this.#voice.warn)
  }

  /** @throws HermesError NO_SUPERVISOR when none answers at the start */
  async run(): Promise<void> {
    const { home, clock, controlSocket, ready } = this.#options
    const client = await connectControl(controlSocket, clock)
    try {
      this.#voice.rules(home)
      ready()
      void this.#followJobs(client)
      await this.#nudges.sleepUntil(clock.nowMs() + FIRST_TICK_MS, false)
      while (!this.#nudges.ended) {
        await this.#round(client)
        if (this.#nudges.waiting) await this.#nudges.sleepUntil(clock.nowMs() + GAP_MS, false)
        else await this.#nudges.sleepUntil(clock.nowMs() + LOOK_MS, true)
      }
      await this.#settle(client)
    } finally {
      // Also when something unforeseen ends it: anything still running would keep alive a process that dispatches
      // nothing.
      this.end()
      client.close()
      for (const { place } of this.#boards.all()) this.#boards.close(place.slug)
    }
  }

  /** Ends after the step that is under way. */
  end(): void {
    this.#nudges.end()
    this.#following.abort()
  }

  /** Work that was finished just before the end must not be repeated in the next life. */
  async #settle(client: ControlClient): Promise<void> {
    const { home, clock, host, builtIn } = this.#options
    for (const { board, place } of this.#boards.all()) {
      try {
        const jobs = await supervisorJobs(client)
        await dispatchOnce({ home, board, clock, host, jobs, builtIn, warn: this.#voice.warn, settleOnly: true })
      } catch (error) {
        this.#voice.once(
          'warn',
          `board ${place.slug}: last results not taken: ${(error as Error).message}`,
          `board:${place.slug}`,
        )
      }
    }
  }

  async #round(client: ControlClient): Promise<void> {
    const nudged = this.#nudges.take()
    const { clock, home } = this.#options
    const places = this.#places()
    let intervalMs: number | undefined
    for (const place of places) {
      if (this.#nudges.ended) return
      const open = this.#open(place)
      if (open === undefined) continue
      try {
        const version = open.board.dataVersion()
        intervalMs ??= readWrittenRules(home).dispatchIntervalSeconds * 1000
        const due = nudged || version !== open.version || clock.nowMs() - open.tickedAtMs >= intervalMs
        if (!due) continue
        open.version = version
        open.tickedAtMs = clock.nowMs()
        await this.#tick(open, client)
      } catch (error) {
        this.#failed(open, error)
      }
    }
    for (const { place } of this.#boards.all())
      if (!places.some(({ slug }) => slug === place.slug)) this.#boards.close(place.slug)
  }

  async #tick(open: OpenBoard, client: ControlClient): Promise<void> {
    const { board, place } = open
    const { home, clock, host, builtIn } = this.#options
    this.#voice.rules(home)
    const jobs = await supervisorJobs(client)
    let isTroubled = false
    const done = await dispatchOnce({
      home,
      board,
      clock,
      host,
      jobs,
      builtIn,
      warn: (text) => {
        isTroubled = true
        this.#voice.warn(text, `tick:${place.slug}`)
      },
      ending: () => this.#nudges.ended,
    })
    if (!isTroubled) this.#voice.forget(`tick:${place.slug}`)
    const line = tickLine(place.slug, done.report)
    if (line !== undefined) this.#voice.say('info', line)
    if (!isSettled(done)) open.version = LOOK_AGAIN
    if (done.report.skipped_locked) {
      const text = `board ${place.slug}: another dispatcher holds it; asking again`
      this.#voice.once('info', text, `board:${place.slug}`)
    } else this.#voice.forget(`board:${place.slug}`)
  }

  /** A failure of one board does not affect the others. */
  #failed({ place, board }: OpenBoard, error: unknown): void {
    const { home, clock, host } = this.#options
    const trouble = troubleOf(error, place, (text) => this.#voice.say('error', text))
    const message = trouble instanceof HermesError ? trouble.message : String((trouble as Error)?.stack ?? trouble)
    this.#voice.once('error', `board ${place.slug}: ${message}`, `board:${place.slug}`)
    this.#boards.close(place.slug)
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
      { home, board, warn: this.#voice.warn },
      { ...known, atMs, host, pid: process.pid, starvedTicks: known.starvedTicks + 1, lastError: message },
    )
  }

  #open(place: BoardPlace): OpenBoard | undefined {
    try {
      return this.#boards.open(place)
    } catch (error) {
      this.#voice.once('error', `board ${place.slug}: ${(error as Error).message}`, `board:${place.slug}`)
      return undefined
    }
  }

  #places(): readonly BoardPlace[] {
    try {
      return listBoards(this.#options.home)
    } catch (error) {
      this.#voice.once('error', (error as Error).message, 'dispatcher')
      return []
    }
  }

  /** A worker that has ended makes room now, not in a minute. */
  async #followJobs(client: ControlClient): Promise<void> {
    const { signal } = this.#following
    // A job that ended before we follow it causes no event; only a tick finds it.
    const onStart = (): void => this.#nudges.nudge()
    while (!this.#nudges.ended) {
      try {
        for await (const { type, slot } of client.follow('events', {}, { signal, onStart })) {
          if (type === 'slot' && slot.slot.startsWith('job-') && slot.state === 'down') this.#nudges.nudge()
        }
      } catch (error) {
        if (!(error instanceof HermesError)) throw error
        // The supervisor is being restarted, or has too many followers: rely on ticks in the meantime.
      }
      await pause(this.#options.clock, LOOK_MS, signal)
      this.#nudges.nudge()
    }
  }
}

/** Nothing is left for the next look: the tick was ours, and the supervisor has answered all of it. */
const isSettled = ({ report, decision }: Dispatched): boolean =>
  !report.skipped_locked && ![...(decision?.reasons.values() ?? [])].some(({ why }) => why === 'unclear')
