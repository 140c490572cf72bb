/** `hermes top` and `hermes status --watch`: live views on a terminal. */
import { statSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlClient } from '../../control/client.ts'
import { act } from '../../control/slot-actions.ts'
import { type UsageSnapshot, usageBetween, usageOf } from '../../control/slot-usage.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { readTail } from '../../system/files/small-file.ts'
import { listProcesses, readPageBytes } from '../../system/programs/proc.ts'
import type { Context } from '../context/context.ts'
import { painter, wantsColours } from '../terminal/paint.ts'
import { Screen } from '../terminal/screen.ts'
import { frame, layout } from './frame.ts'
import { type Action, EMPTY, onKey, type TopState, withSlot, withSlots } from './model.ts'

/** Between two looks at the processes and the log, ms. */
const LOOK_EVERY_MS = 2000
/** News may come in storms: at most so often are they drawn, ms. */
const DRAW_EVERY_MS = 200
/** Between two attempts to reach a supervisor that is gone, ms. */
const AGAIN_MS = 1000
/** Between two pictures of runWatch, ms. */
const WATCH_EVERY_MS = 1000
/** A note about an action stays so long, ms. */
const NOTE_MS = 5000
const LOG_TAIL_BYTES = 32_768
/** Longest time that the supervisor may take for an action; the list shows what becomes of it. */
const ACTION_MS = 75_000

/**
 * Runs until a key, a signal or the end of the terminal.
 * @returns the signal that has ended it
 * @throws HermesError NO_SUPERVISOR before anything is drawn
 */
export async function runTop(context: Context): Promise<NodeJS.Signals | undefined> {
  const client = await context.connect()
  try {
    const { slots } = await client.request('status', {})
    return await new Top(context, client).run(slots)
  } finally {
    client.close()
  }
}

class Top {
  readonly #context: Context
  readonly #client: ControlClient
  readonly #over = new AbortController()
  readonly #ended = Promise.withResolvers<NodeJS.Signals | undefined>()
  readonly #paint: ReturnType<typeof painter>
  readonly #pageBytes = readPageBytes()
  #state: TopState = EMPTY
  #usage: UsageSnapshot | undefined
  /** Of the log that was read last: another one has another text. */
  #logMark = ''
  #drawAt: NodeJS.Timeout | undefined
  /** When the note goes; undefined: it stays until there is news. */
  #noteUntilMs: number | undefined

  constructor(context: Context, client: ControlClient) {
    this.#context = context
    this.#client = client
    this.#paint = painter(wantsColours(context.env))
  }

  async run(slots: readonly SlotStatus[]): Promise<NodeJS.Signals | undefined> {
    this.#state = withSlots(this.#state, slots)
    using screen = new Screen(this.#context.output, {
      onKey: (key) => this.#key(key, screen),
      onChange: () => this.#draw(screen),
      onEnd: this.#ended.resolve,
    })
    const look = (): void => {
      this.#look()
      this.#draw(screen)
    }
    look()
    const timer = setInterval(look, LOOK_EVERY_MS)
    const following = this.#follow(screen)
    try {
      return await this.#ended.promise
    } finally {
      clearInterval(timer)
      clearTimeout(this.#drawAt)
      this.#over.abort()
      await following
    }
  }

  #key(key: string, screen: Screen): void {
    const { state, effect } = onKey(this.#state, key, layout(this.#state, screen.size).list)
    const isOther = state.chosen !== this.#state.chosen
    this.#state = state
    if (isOther) this.#readLog()
    this.#draw(screen)
    if (effect === undefined) return
    if ('quit' in effect) this.#ended.resolve(undefined)
    else if ('suspend' in effect) screen.suspend()
    else void this.#act(effect.act, screen)
  }

  /** The list shows what becomes of it; a refusal is shown in its place. */
  async #act({ verb, slot }: Action, screen: Screen): Promise<void> {
    this.#note(`asked to ${verb} ${slot}`, NOTE_MS)
    try {
      const { changed } = await act(this.#client, verb, slot, { wait: false }, ACTION_MS)
      if (!changed && verb !== 'restart') this.#note(`${slot}: nothing to ${verb}`, NOTE_MS)
    } catch (error) {
      this.#note((error as Error).message, NOTE_MS)
    }
    this.#draw(screen)
  }

  #note(note: string, forMs?: number): void {
    this.#state = { ...this.#state, note }
    this.#noteUntilMs = forMs === undefined ? undefined : this.#context.clock.nowMs() + forMs
  }

  /** Every change of a slot, from the supervisor that runs now and from the next one. */
  async #follow(screen: Screen): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      try {
        const onStart = (): void => void this.#refresh(screen)
        for await (const { slot, type, missed } of this.#client.follow('events', {}, { signal, onStart })) {
          this.#state = withSlot(this.#state, { slot, type })
          if (missed !== undefined) await this.#refresh(screen)
          this.#drawLater(screen)
        }
      } catch (error) {
        if (!(error instanceof HermesError)) return this.#ended.reject(error)
        this.#note(`${error.message}; this is what it was. Trying again`)
        this.#draw(screen)
      }
      if (!signal.aborted) await pause(this.#context.clock, AGAIN_MS)
    }
  }

  async #refresh(screen: Screen): Promise<void> {
    try {
      const { slots } = await this.#client.request('status', {})
      this.#state = withSlots({ ...this.#state, note: undefined }, slots)
      this.#drawLater(screen)
    } catch (error) {
      // The follower meets it, too, and says so.
      if (!(error instanceof HermesError)) this.#ended.reject(error)
    }
  }

  #look(): void {
    if (this.#noteUntilMs !== undefined && this.#context.clock.nowMs() >= this.#noteUntilMs)
      this.#state = { ...this.#state, note: undefined }
    const now = usageOf(this.#state.slots, listProcesses(), this.#pageBytes, this.#context.clock.nowMs())
    this.#state = { ...this.#state, usage: usageBetween(this.#usage, now) }
    this.#usage = now
    this.#readLog()
  }

  /** Reads the end of the log again if it has changed. */
  #readLog(): void {
    const { chosen, slots, showsLog } = this.#state
    const file = slots.find(({ slot }) => slot === chosen)?.log
    if (file === undefined || !showsLog) return
    const mark = markOf(file)
    if (mark === this.#logMark) return
    this.#logMark = mark
    const { text, problem } = readTail(file, LOG_TAIL_BYTES)
    // The first line may be the rest of one.
    const lines =
      text === undefined ? [problem ?? 'no log yet'] : text.split('\n').slice(text.length < LOG_TAIL_BYTES ? 0 : 1, -1)
    this.#state = { ...this.#state, log: lines }
  }

  #draw(screen: Screen): void {
    clearTimeout(this.#drawAt)
    this.#drawAt = undefined
    const { size } = screen
    const wallMs = this.#context.clock.wallMs()
    screen.draw(frame(this.#state, { size, wallMs, host: hostname(), paint: this.#paint }))
  }

  #drawLater(screen: Screen): void {
    this.#drawAt ??= setTimeout(() => this.#draw(screen), DRAW_EVERY_MS)
  }
}

/**
 * Draws what `render` returns, again and again, until a key, a signal or the end of the terminal.
 * @returns the signal that has ended it
 * @throws what the first call of `render` throws
 */
export async function runWatch(context: Context, render: () => Promise<string>): Promise<NodeJS.Signals | undefined> {
  let text = await render()
  const { promise, resolve, reject } = Promise.withResolvers<NodeJS.Signals | undefined>()
  using screen = new Screen(context.output, {
    onKey: (key) => {
      if (['q', 'ctrl-c', 'ctrl-d'].includes(key)) resolve(undefined)
      else if (key === 'ctrl-z') screen.suspend()
    },
    onChange: () => draw(),
    onEnd: resolve,
  })
  const draw = (): void => {
    const time = new Date(context.clock.wallMs()).toISOString().slice(11, 19)
    screen.draw([...text.split('\n').slice(0, screen.size.rows - 1), `${time}Z  q: quit`])
  }
  const over = new AbortController()
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      draw()
      await delay(WATCH_EVERY_MS, undefined, { signal: over.signal })
      text = await render().catch((error: unknown) => {
        if (!(error instanceof HermesError)) throw error
        return `${error.message}; trying again\n`
      })
    }
  }
  watch().catch((error: unknown) => over.signal.aborted || reject(error))
  try {
    return await promise
  } finally {
    over.abort()
  }
}

function markOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${file} ${ino} ${size} ${mtimeMs}`
  } catch (error) {
    return `${file} ${(error as NodeJS.ErrnoException).code}`
  }
}
