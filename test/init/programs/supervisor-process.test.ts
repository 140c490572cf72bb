import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Linked, Processes } from '../../../src/init/processes/processes.ts'
import { restartDelayMs, SupervisorProcess } from '../../../src/init/programs/supervisor-process.ts'
import { UnacknowledgedEvents } from '../../../src/init/slots/unacknowledged-events.ts'
import type { ToInit, ToSupervisor } from '../../../src/protocol/init.ts'
import type { SupervisorStart } from '../../../src/protocol/start-up.ts'
import type { Ending } from '../../../src/slot/ending.ts'
import { SIGNALS } from '../../../src/system/signals.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

test('a supervisor that lived is started again at once; one that keeps failing after 0.25 s, doubling up to 30 s', () => {
  expect([0, 1, 2, 3, 4, 7, 8, 9, 1_000].map(restartDelayMs)).toEqual([
    0, 250, 500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
  ])
})

const ORDERS = { home: '/opt/data' } as SupervisorStart

/** One life, as init's side of the socket sees it. */
class Life extends Duplex {
  orders: unknown
  readonly sent: { type: string }[] = []
  killed = false
  /** A full socket: what is written is never taken. */
  stuck = false
  #taken: (() => void) | undefined
  #end: (ending: Ending) => void = () => undefined
  readonly ended = new Promise<Ending>((resolve) => {
    this.#end = resolve
  })

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    if (this.stuck) {
      this.#taken = () => this._write(chunk, _, done)
      return
    }
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      if (this.orders === undefined) this.orders = JSON.parse(line)
      else this.sent.push(JSON.parse(line))
    }
    done()
  }

  /** It reads again. */
  async reads(): Promise<void> {
    this.stuck = false
    this.#taken?.()
    await turn()
  }

  says(message: Readonly<Record<string, unknown>>): Promise<void> {
    this.push(`${JSON.stringify(message)}\n`)
    return turn()
  }

  /** Its end of the line closes with it, unless another process holds it, too. */
  dies(ending: Ending, held = false): Promise<void> {
    if (!held) this.push(null)
    this.#end(ending)
    return turn()
  }
}

/** Streams hand on what they got a few turns later. */
const turn = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function scene() {
  const clock = fakeClock()
  const lives: Life[] = []
  const received: ToInit[] = []
  const warned: string[] = []
  const answers: (number | undefined)[] = []
  const remembered: string[] = []
  const signals: string[] = []
  const events = new UnacknowledgedEvents()
  const stopped = new Set<number>()
  let gone = 0
  const processes = {
    async link(): Promise<Linked> {
      const life = new Life()
      lives.push(life)
      return { pid: lives.length, socket: life as unknown as Socket, ended: life.ended }
    },
  }
  const kept: ToSupervisor[] = []
  const welcome = (): void => {
    supervisor.send({ type: 'begin' })
    supervisor.deliver()
  }
  const supervisor: SupervisorProcess = new SupervisorProcess({
    clock: { ...clock, frozen: () => ({ ms: 0, untilMs: 0 }) },
    native: {
      kill: (pid, signal) => {
        const life = lives[pid - 1]
        if (signal === SIGNALS.CONT) signals.push(`CONT ${pid}`)
        else if (life !== undefined) life.killed = true
        return life !== undefined
      },
    },
    processes: processes as unknown as Processes,
    program: { file: 'node', args: [], env: {}, cwd: '/', fds: [] },
    start: ORDERS,
    listener: () => ({
      receive: (message) => {
        received.push(message)
        if (message.type === 'hello') supervisor.restore(kept.values(), welcome)
      },
      eventAfter: (seq) => events.after(seq),
      gone: () => {
        gone += 1
      },
    }),
    remember: (message) => remembered.push(message.type === 'keep' ? message.text : `forget ${message.slot}`),
    isStopped: (pid) => stopped.has(pid),
    answers: (pid) => answers.push(pid),
    warn: (text) => warned.push(text),
  })
  await supervisor.start()
  const life = (n: number): Life => lives[n - 1] as Life
  return {
    clock,
    supervisor,
    lives,
    life,
    received,
    warned,
    answers,
    remembered,
    events,
    kept,
    stopped,
    signals,
    gone: () => gone,
  }
}

describe('a life of the supervisor', () => {
  test('every one gets its orders first', async () => {
    const { clock, life, lives } = await scene()
    await life(1).dies({ signal: 'KILL' })
    clock.advance(250)
    await turn()
    expect(lives.map(({ orders }) => orders)).toEqual([ORDERS, ORDERS])
  })

  test('it is pinged every 5 s, and killed when it has not answered for 30 s', async () => {
    const { clock, life, warned } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    clock.advance(30_000)
    await turn()
    expect(life(1).sent.map(({ type }) => type)).toEqual(['begin', ...Array(6).fill('ping')])
    expect(life(1).killed).toBe(false)
    clock.advance(5_000)
    expect(life(1).killed).toBe(true)
    expect(warned).toEqual(['the supervisor (pid 1) has not answered for 30 s; it is killed'])
  })

  test('it counts as answering from its hello on, until a ping stays without an answer, and again from the next answer on', async () => {
    const { clock, life, answers } = await scene()
    expect(answers).toEqual([])
    await life(1).says({ type: 'hello', v: 1 })
    expect(answers).toEqual([1])
    clock.advance(5_000)
    await life(1).says({ type: 'pong', n: 1 })
    clock.advance(5_000)
    expect(answers.at(-1)).toBe(1)
    clock.advance(5_000)
    expect(answers.at(-1)).toBeUndefined()
    await life(1).says({ type: 'pong', n: 2 })
    expect(answers.at(-1)).toBe(1)
    await life(1).dies({ exitCode: 1 })
    expect(answers.at(-1)).toBeUndefined()
  })

  test('one that was paused with us for an hour is not taken for deaf', async () => {
    const { clock, life, warned } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    clock.oversleep(3_600_000)
    await life(1).says({ type: 'pong', n: 1 })
    clock.advance(30_000)
    expect(life(1).killed).toBe(false)
    clock.advance(5_000)
    expect(warned).toEqual(['the supervisor (pid 1) has not answered for 30 s; it is killed'])
  })

  test('one that answers is never killed', async () => {
    const { clock, life } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    for (let n = 0; n < 20; n++) {
      clock.advance(20_000)
      await life(1).says({ type: 'pong', n })
    }
    expect(life(1).killed).toBe(false)
  })

  test('one that never says hello is killed after 30 s, too, and nothing is sent to it', async () => {
    const { clock, life, supervisor } = await scene()
    supervisor.send({ type: 'begin' })
    clock.advance(40_000)
    await turn()
    expect([life(1).sent, life(1).killed]).toEqual([[], true])
  })

  test('one that does not read is killed before our memory goes', async () => {
    const { life, supervisor, warned } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    life(1).stuck = true
    const text = 'x'.repeat(100_000)
    for (let i = 0; i < 100 && !life(1).killed; i++) supervisor.send({ type: 'note', level: 'info', text })
    expect(life(1).killed).toBe(true)
    expect(warned).toEqual(['the supervisor (pid 1) does not read its messages; it is killed'])
  })

  test('one that closes its connection and lives on is killed a second later', async () => {
    const { clock, life, warned } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    life(1).push(null)
    await turn()
    clock.advance(900)
    expect(life(1).killed).toBe(false)
    clock.advance(200)
    expect(life(1).killed).toBe(true)
    expect(warned[0]).toContain('closed its line to init')
  })

  test('no request left in a dead one’s socket is carried out, but the state it left for the next one is kept', async () => {
    const { life, lives, received, remembered, gone, clock } = await scene()
    await life(1).says({ type: 'hello', v: 1 })
    clock.advance(1_500)
    await life(1).dies({ signal: 'KILL' }, true)
    life(1).push('{"type":"keep","name":"gateway-a","text":"its last word"}\n{"type":"forget","slot":"job-1"}\n')
    life(1).push('{"type":"shutdown","exitCode":0,"reason":""}\n')
    life(1).push(null)
    await turn()
    expect(remembered).toEqual(['its last word', 'forget job-1'])
    expect([gone(), lives.length]).toEqual([1, 2])
    expect(life(1).destroyed).toBe(true)
    await life(2).says({ type: 'hello', v: 1 })
    expect(received.map(({ type }) => type)).toEqual(['hello', 'hello'])
  })

  test('it is started again after its delay, but not once it was ended permanently', async () => {
    const { life, lives, clock, supervisor } = await scene()
    await life(1).dies({ exitCode: 1 })
    clock.advance(249)
    await turn()
    expect(lives).toHaveLength(1)
    clock.advance(1)
    await turn()
    expect(lives).toHaveLength(2)
    const end = supervisor.end()
    await life(2).dies({ signal: 'KILL' })
    await end
    clock.advance(60_000)
    await turn()
    expect([lives.length, life(2).killed]).toEqual([2, true])
  })
})

describe('the messages that a supervisor gets', () => {
  const hello = { type: 'hello', v: 1 } as const
  const note = (text: string): ToSupervisor => ({ type: 'note', level: 'info', text })

  test('the state of its predecessor comes before everything else, as fast as it reads', async () => {
    const { life, kept, supervisor } = await scene()
    const text = 'x'.repeat(100_000)
    for (let i = 0; i < 200; i++) kept.push({ type: 'kept', name: `s${i}`, text })
    life(1).stuck = true
    await life(1).says(hello)
    expect([supervisor.listens, life(1).writableLength < 1_000_000]).toEqual([false, true])
    supervisor.send(note('too early'))
    await life(1).reads()
    expect(life(1).sent.map(({ type }) => type)).toEqual([...Array(200).fill('kept'), 'begin'])
    expect(supervisor.listens).toBe(true)
  })

  test('ten thousand events wait for one that reads slowly, in order and not in its socket', async () => {
    const { life, events, supervisor, warned } = await scene()
    const slot = 'x'.repeat(1_000)
    const happen = (): void => {
      events.add({ type: 'ready', child: 1, slot, atMs: 0 })
      supervisor.deliver()
    }
    for (let i = 0; i < 9_000; i++) happen()
    life(1).stuck = true
    await life(1).says(hello)
    for (let i = 0; i < 1_000; i++) happen()
    expect(life(1).writableLength).toBeLessThan(1_000_000)
    await life(1).reads()
    const seqs = life(1).sent.flatMap((message) => ('seq' in message ? [message.seq] : []))
    expect(seqs).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1))
    happen()
    await turn()
    expect(life(1).sent.at(-1)).toMatchObject({ seq: 10_001 })
    expect([warned, life(1).killed]).toEqual([[], false])
  })

  test('one whose connection another process holds open is replaced all the same', async () => {
    const { life, lives, clock } = await scene()
    await life(1).says(hello)
    clock.advance(1_500)
    await life(1).dies({ signal: 'KILL' }, true)
    expect(lives).toHaveLength(1)
    clock.advance(100)
    await turn()
    expect(lives).toHaveLength(2)
  })

  test('one that a signal has stopped is continued at the next ping, and not killed', async () => {
    const { life, clock, stopped, signals, warned } = await scene()
    await life(1).says(hello)
    clock.advance(5_000)
    expect(signals).toEqual([])
    stopped.add(1)
    clock.advance(5_000)
    expect(signals).toEqual(['CONT 1'])
    expect(warned).toEqual(['the supervisor (pid 1) was stopped by a signal; it is continued'])
    expect(life(1).killed).toBe(false)
  })
})

describe('events that are kept', () => {
  const ready = (kept: UnacknowledgedEvents, slot = 'a') => kept.add({ type: 'ready', child: 1, slot, atMs: 0 })

  test('are numbered from 1, in order, until one that is not older is acknowledged', () => {
    const kept = new UnacknowledgedEvents()
    expect(['a', 'b', 'c'].map((slot) => ready(kept, slot).seq)).toEqual([1, 2, 3])
    kept.acknowledge(2)
    kept.acknowledge(1)
    expect(kept.unacknowledged().map(({ seq }) => seq)).toEqual([3])
    expect(ready(kept).seq).toBe(4)
    kept.acknowledge(1_000)
    expect(kept.unacknowledged()).toEqual([])
    expect(ready(kept).seq).toBe(5)
  })

  test('are enough when ten thousand were not acknowledged', () => {
    const kept = new UnacknowledgedEvents()
    for (let i = 0; i < 9_999; i++) ready(kept)
    expect(kept.full).toBe(false)
    ready(kept)
    expect(kept.full).toBe(true)
  })
})
