import {
  encodeMessage,
  MAX_LINE_BYTES,
  parseToInit,
  type Sequenced,
  type ToInit,
  type ToSupervisor,
} from '../../protocol/init.ts'
import { LineSplitter } from '../../protocol/lines.ts'
import { PROTOCOL_FD, type SupervisorStart } from '../../protocol/start-up.ts'
import type { Ending } from '../../slot/ending.ts'
import { describeEnding } from '../../slot/ending.ts'
import type { Clock, MachineClock } from '../../system/clock.ts'
import type { Native, SpawnedProgram } from '../../system/native/native.ts'
import { SIGNALS, type SignalName } from '../../system/signals.ts'
import type { Linked, Processes } from '../processes/processes.ts'
import type { SpawnedLinked } from '../processes/spawn-linked.ts'
import { type SupervisorRun, sendAll } from './supervisor-run.ts'

const LIVED_MS = 1_000
const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 30_000
const PING_EVERY_MS = 5_000
/** Pings in a row, not time: after a container was paused, or a laptop slept, it has had none to answer in. */
const DEAF_AFTER_PINGS = 6
/** Maximum of data that waits in our memory for a supervisor that does not read. */
const MAX_UNREAD_BYTES = 8_000_000
/** For the remaining output of a dead one: its stream ends with its process, unless another process holds it. */
const FINAL_OUTPUT_MS = 100
/** Bad messages that are named; the rest of one supervisor's life is counted. */
const NAMED_MESSAGES = 5

/**
 * Delay before the next start.
 * @param failures lives in a row without success: no hello, or shorter than a second
 */
export const restartDelayMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1))

export interface SupervisorProcessOptions {
  /** The supervisor goes by it, and gets the time for which it was frozen. */
  readonly clock: Clock & Pick<MachineClock, 'frozen'>
  readonly native: Pick<Native, 'kill'>
  readonly processes: Processes
  readonly program: SpawnedProgram
  /** Its orders, the first line on its socket. */
  readonly start: SupervisorStart
  /** The first one, which was started before init knew its orders. */
  readonly first?: SpawnedLinked
  /** Asked at each event: it has this supervisor itself. */
  readonly listener: () => SupervisorListener
  /** Stores the data that it leaves for the next one, or takes back; also data that it had sent before it died. */
  readonly remember: (message: Remembered) => void
  /** A signal has stopped this process. */
  readonly isStopped: (pid: number) => boolean
  /**
   * Its pid when it begins to answer; undefined when a ping stays without an answer until the next, or it has ended.
   */
  readonly answers: (pid: number | undefined) => void
  readonly warn: (text: string) => void
}

export interface SupervisorListener {
  /** Messages after `hello`, that one included; those of a dead one are not handed on. */
  receive(message: ToInit): void
  /** The first event that is newer, if there is one. */
  eventAfter(seq: number): Sequenced | undefined
  /** It has ended, and with it everything it had asked for. */
  gone(): void
}

export type Remembered = Extract<ToInit, { type: 'keep' | 'forget' }>

/**
 * The supervisor's process, kept alive: started again when it dies, killed when it is deaf. Nothing it sends is
 * trusted.
 */
export class SupervisorProcess {
  readonly #options: SupervisorProcessOptions
  #run: SupervisorRun | undefined
  #failures = 0
  #pings = 0
  #ending = false
  #first: SpawnedLinked | undefined

  constructor(options: SupervisorProcessOptions) {
    this.#options = options
    this.#first = options.first
  }

  get pid(): number | undefined {
    return this.#run?.stage === 'dead' ? undefined : this.#run?.started.pid
  }

  /** It has been welcomed: what is sent now arrives. */
  get listens(): boolean {
    return this.#run?.stage === 'listening'
  }

  /** Nothing is sent before its welcome, which contains everything it must know. */
  send(message: ToSupervisor): void {
    const run = this.#run
    if (run?.stage !== 'listening') return
    run.socket.write(encodeMessage(message))
    if (run.socket.writableLength > MAX_UNREAD_BYTES) this.#kill(run, 'does not read its messages')
  }

  /**
   * Answers its `hello`: first with the data of its predecessor, as fast as it reads, then with the messages of
   * `welcome`.
   * @param kept read one after the other
   */
  restore(kept: Iterator<ToSupervisor>, welcome: () => void): void {
    const run = this.#run
    if (run?.stage === 'restoring') sendAll(run, kept, welcome)
  }

  /**
   * Sends the events that it has not been sent yet, as fast as it reads them: a slow reader costs no memory but
   * theirs.
   */
  deliver(): void {
    const run = this.#run
    if (run?.stage !== 'listening' || run.awaitsDrain) return
    const listener = this.#options.listener()
    const events = {
      next(): IteratorResult<ToSupervisor> {
        const value = listener.eventAfter(run.deliveredSeq)
        if (value === undefined) return { done: true, value }
        run.deliveredSeq = value.seq
        return { value }
      },
    }
    sendAll(run, events, () => undefined)
  }

  async start(): Promise<void> {
    if (this.#ending || this.#run !== undefined) return
    const { warn, program, start } = this.#options
    let linked: Linked
    try {
      linked = await this.#spawn()
    } catch (error) {
      this.#failures += 1
      warn(`cannot start the supervisor (${program.file}): ${(error as Error).message}`)
      this.#again()
      return
    }
    this.#live(linked)
    linked.socket.write(`${JSON.stringify(start)}\n`)
  }

  #spawn(): Promise<Linked> {
    const { processes, program } = this.#options
    const first = this.#first
    this.#first = undefined
    return first === undefined ? processes.link(program, PROTOCOL_FD) : Promise.resolve(processes.adoptLinked(first))
  }

  /** Kills it for good. Resolves when it is gone. */
  async end(): Promise<void> {
    this.#ending = true
    const run = this.#run
    if (run === undefined) return
    this.#options.answers(undefined)
    this.#signal(run.started.pid, 'KILL')
    await run.started.ended
  }

  #live(linked: Linked): void {
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    const { socket } = linked
    const run: SupervisorRun = {
      started: linked,
      socket,
      startedAtMs: nowMs,
      unanswered: 0,
      stage: 'loading',
      hasSentHello: false,
      deliveredSeq: 0,
      awaitsDrain: false,
      badMessages: 0,
    }
    this.#run = run
    const splitter = new LineSplitter(MAX_LINE_BYTES)
    socket.on('data', (chunk: Buffer) => {
      const { lines, tooLong } = splitter.push(chunk)
      for (const line of lines) this.#take(run, line)
      if (tooLong) this.#kill(run, `sent a line of more than ${MAX_LINE_BYTES} bytes`)
    })
    // Usually its death, which wait(2) reports in a moment. One that lives on without its line is of no use.
    socket.on('end', () => clock.at(clock.nowMs() + LIVED_MS, () => this.#kill(run, 'closed its line to init')))
    socket.on('error', () => undefined) // EPIPE, ECONNRESET: wait(2) reports its end
    void linked.ended.then((ending) => this.#dead(run, ending))
    this.#pingLater(run)
  }

  #take(run: SupervisorRun, line: string): void {
    const message = parseToInit(line)
    if (typeof message === 'string') {
      this.#refuse(run, message)
      return
    }
    const works = run.stage === 'restoring' || run.stage === 'listening'
    if (run.unanswered > 0 && works) this.#options.answers(run.started.pid)
    run.unanswered = 0
    if (message.type === 'pong') return
    if ((message.type === 'hello') === run.hasSentHello) {
      this.#refuse(run, message.type === 'hello' ? 'hello twice' : `${message.type} before hello`)
      return
    }
    const { remember, answers } = this.#options
    const listener = this.#options.listener()
    if (message.type === 'hello') {
      if (run.stage !== 'loading') return
      answers(run.started.pid)
      run.hasSentHello = true
      run.stage = 'restoring'
      listener.receive(message)
      return
    }
    // Also of one that is dead: its answers to clients follow from these states. The effects that should have followed
    // never happen.
    if (message.type === 'keep' || message.type === 'forget') remember(message)
    if (works) listener.receive(message)
  }

  #refuse(run: SupervisorRun, what: string): void {
    run.badMessages += 1
    if (run.badMessages <= NAMED_MESSAGES) this.#options.warn(`the supervisor sent what init does not take: ${what}`)
  }

  #pingLater(run: SupervisorRun): void {
    const { clock } = this.#options
    const ping = (): void => {
      if (this.#run !== run || run.stage === 'dead') return
      this.#wake(run)
      if (run.unanswered >= DEAF_AFTER_PINGS) {
        this.#kill(run, `has not answered for ${(DEAF_AFTER_PINGS * PING_EVERY_MS) / 1000} s`)
        return
      }
      if (run.unanswered > 0) this.#options.answers(undefined)
      run.unanswered += 1
      this.send({ type: 'ping', n: ++this.#pings, frozen: this.#options.clock.frozen() })
      this.#pingLater(run)
    }
    clock.at(clock.nowMs() + PING_EVERY_MS, ping, { coarse: true })
  }

  /** Every process of the runtime user may stop it by a signal: it would be deaf until it is killed. */
  #wake(run: SupervisorRun): void {
    const { pid } = run.started
    if (!this.#options.isStopped(pid)) return
    this.#options.warn(`the supervisor (pid ${pid}) was stopped by a signal; it is continued`)
    this.#signal(pid, 'CONT')
  }

  #kill(run: SupervisorRun, why: string): void {
    if (this.#run !== run || run.stage === 'doomed' || run.stage === 'dead' || this.#ending) return
    run.stage = 'doomed'
    this.#options.answers(undefined)
    const { pid } = run.started
    this.#options.warn(`the supervisor (pid ${pid}) ${why}; it is killed`)
    // Its connection is closed at its death: closed earlier, it might notice that first, and report that init is
    // gone.
    if (!this.#signal(pid, 'KILL')) run.socket.destroy() // without its line it ends by itself
  }

  #signal(pid: number, signal: SignalName): boolean {
    try {
      return this.#options.native.kill(pid, SIGNALS[signal])
    } catch (error) {
      this.#options.warn(`cannot send ${signal} to the supervisor (pid ${pid}): ${(error as Error).message}`)
      return false
    }
  }

  /** Reads its remaining output, then continues. */
  #dead(run: SupervisorRun, ending: Ending): void {
    run.stage = 'dead'
    this.#options.answers(undefined)
    const { socket } = run
    const cancel = this.#options.clock.at(this.#options.clock.nowMs() + FINAL_OUTPUT_MS, () => socket.destroy())
    const over = (): void => {
      cancel()
      // Including pending input: a dead supervisor's request must not be carried out after its successor has sent
      // hello.
      socket.destroy()
      if (this.#run === run) this.#over(run, ending)
    }
    if (socket.readableEnded || socket.destroyed) over()
    else socket.once('end', over).once('close', over)
  }

  #over(run: SupervisorRun, ending: Ending): void {
    this.#run = undefined
    this.#options.listener().gone()
    if (run.badMessages > NAMED_MESSAGES) {
      this.#options.warn(`the supervisor had sent ${run.badMessages} messages that init does not take`)
    }
    if (this.#ending) return
    const livedMs = this.#options.clock.nowMs() - run.startedAtMs
    this.#failures = run.hasSentHello && livedMs >= LIVED_MS ? 0 : this.#failures + 1
    const when = this.#failures === 0 ? 'at once' : `in ${restartDelayMs(this.#failures) / 1000} s`
    this.#options.warn(
      `the supervisor (pid ${run.started.pid}) ${describeEnding(ending)}; its slots run on, it is started again ${when}`,
    )
    this.#again()
  }

  #again(): void {
    const { clock } = this.#options
    const delayMs = restartDelayMs(this.#failures)
    if (delayMs === 0) void this.start()
    else clock.at(clock.nowMs() + delayMs, () => void this.start())
  }
}
