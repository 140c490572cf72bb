import { describe, expect, test } from 'vitest'
import type { LivingChild } from '../../../src/init/slots/children.ts'
import { Stop } from '../../../src/init/slots/stop.ts'
import { NativeError } from '../../../src/system/native/native.ts'
import type { ProcessFacts } from '../../../src/system/programs/proc.ts'
import { SIGNALS, type SignalName, signalName } from '../../../src/system/signals.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const OWN = 1
const SUPERVISOR = 2

/** Processes that end when a signal reaches them that they obey. */
function scene(options: { totalMs?: number; pid1?: boolean } = {}) {
  const clock = fakeClock()
  const all = new Map<number, ProcessFacts & { obeys: readonly SignalName[] }>()
  const children = new Map<number, LivingChild>()
  const sent: string[] = []
  const said: string[] = []
  const unfinished = new Map<string, number>()
  const loggers = new Set<string>()
  let main: number | undefined
  const add = (
    pid: number,
    comm: string,
    obeys: readonly SignalName[] | 'nothing',
    ppid = OWN,
    session = pid,
  ): void => {
    const signals: readonly SignalName[] = obeys === 'nothing' ? [] : [...obeys, 'KILL']
    all.set(pid, {
      pid,
      ppid,
      comm,
      state: 'S',
      pgrp: pid,
      session,
      terminal: 0,
      foreground: -1,
      startTime: 0,
      cpuTicks: 0,
      waitedTicks: 0,
      residentPages: 0,
      obeys: signals,
    })
  }
  let hidden = false
  let broken = false
  const foreign = new Set<number>()
  add(OWN, 'init', [], 0)
  add(SUPERVISOR, 'supervisor', [])
  let stop: Stop
  const end = (pid: number): void => {
    all.delete(pid)
    children.delete(pid)
    if (main === pid) main = undefined
    stop.lookAgain()
  }
  stop = new Stop({
    finish: async (slot) => {
      sent.push(`finish ${slot}`)
      unfinished.delete(slot)
    },
    services: {
      unfinished: () => [...unfinished].map(([slot, depth]) => ({ slot, depth })),
      endInput(slot) {
        if (!loggers.has(slot)) return false
        sent.push(`end of input ${slot}`)
        return true
      },
    },
    clock,
    container: { totalMs: options.totalMs ?? 8_000, pid1: options.pid1 ?? true, ownPid: OWN },
    native: {
      kill(pid, number) {
        const signal = signalName(number) as SignalName
        sent.push(`${signal} ${pid}`)
        if (foreign.has(pid)) throw new NativeError('kill', 1, 'EPERM')
        const one = all.get(Math.abs(pid))
        if (one === undefined) return false
        if (one.obeys.includes(signal)) clock.at(clock.nowMs(), () => end(one.pid))
        return true
      },
    },
    processes: () => {
      if (hidden) throw new Error("EMFILE: too many open files, scandir '/proc'")
      return [...all.values()]
    },
    children: () => {
      if (broken) throw new Error('no foreseen error')
      return [...children.values()]
    },
    mainPid: () => main,
    supervisorPid: () => SUPERVISOR,
    log: (text) => said.push(text),
  })
  const startedAtMs = clock.nowMs()
  let endedAfterMs: number | undefined
  return {
    clock,
    sent,
    said,
    add,
    stop: () => stop,
    /** The process table cannot be read. */
    hide: () => {
      hidden = true
    },
    /** From now on a fault of ours is met at every step. */
    breakDown: () => {
      broken = true
    },
    unfinished,
    loggers,
    /** Processes of another user. */
    foreign,
    /** @param depth of a service; absent: any other slot */
    slot(pid: number, stopSignal: SignalName, stopTimeoutMs: number, obeys: readonly SignalName[], depth?: number) {
      add(pid, `comm-${pid}`, obeys)
      children.set(pid, {
        child: pid,
        slot: `slot-${pid}`,
        pid,
        startTime: 0,
        spawnedAtMs: 0,
        program: 'run',
        stopSignal,
        stopTimeoutMs,
        ...(depth !== undefined && { depth }),
      })
    },
    setMain(pid: number, obeys: readonly SignalName[] | 'nothing') {
      add(pid, 'main', obeys)
      main = pid
    },
    end,
    /** Lets `ms` pass. @returns ms the stop took, once it is over */
    async after(ms: number): Promise<number | undefined> {
      if (endedAfterMs === undefined && sent.length === 0) {
        void stop.run().then(() => {
          endedAfterMs ??= clock.nowMs() - startedAtMs
        })
      }
      for (let step = 0; step < ms; step += 10) {
        clock.advance(10)
        await Promise.resolve()
        await Promise.resolve()
      }
      return endedAfterMs
    },
  }
}

describe('stop', () => {
  test('a process table that cannot be read is reported once; slots and main are signalled, waited for and killed all the same', async () => {
    const s = scene()
    s.hide()
    s.slot(10, 'TERM', 60_000, ['TERM'])
    s.slot(11, 'TERM', 60_000, [])
    s.setMain(12, 'nothing')
    await s.after(3_000)
    expect(s.sent).toEqual(['TERM 10', 'CONT 10', 'TERM 11', 'CONT 11', 'TERM 12', 'CONT 12'])
    expect(s.said).toEqual([
      expect.stringContaining('EMFILE'),
      'still waiting for slot-11 (pid 11), the main program (?) (pid 12)',
    ])
    expect(await s.after(7_000)).toBeLessThan(8_000)
    expect(s.sent).toEqual(expect.arrayContaining(['KILL -11', 'KILL 12']))
  })

  test('each slot gets its own signal, main and strangers TERM, all CONT, init and supervisor nothing', async () => {
    const s = scene()
    s.slot(10, 'QUIT', 5_000, ['QUIT'])
    s.slot(11, 'TERM', 5_000, ['TERM'])
    s.setMain(12, ['TERM'])
    s.add(13, 'grandchild', ['TERM'], 10)
    s.add(14, 'exec', ['TERM'], 0)
    expect(await s.after(100)).toBeLessThanOrEqual(40)
    expect(s.sent).toEqual([
      'QUIT 10',
      'CONT 10',
      'TERM 11',
      'CONT 11',
      'TERM 12',
      'CONT 12',
      'TERM 13',
      'CONT 13',
      'TERM 14',
      'CONT 14',
    ])
    expect(s.said).toEqual([])
  })

  test('a process of another user that came from outside is not reported; a slot that cannot be signalled is', async () => {
    const s = scene()
    s.add(13, 'runc:[2:INIT]', [], 0)
    s.foreign.add(13)
    s.slot(10, 'TERM', 1_000, [])
    s.foreign.add(10)
    await s.after(100)
    expect(s.sent).toEqual(['TERM 10', 'TERM 13'])
    expect(s.said).toEqual(['cannot send SIGTERM to slot-10 (pid 10): kill: EPERM'])
  })

  test('without other processes it is over at once', async () => {
    expect(await scene().after(10)).toBeLessThanOrEqual(10)
  })

  test('a slot that does not obey is killed, with its group, at its own timeout', async () => {
    const s = scene()
    s.slot(10, 'TERM', 1_000, [])
    await s.after(990)
    expect(s.sent).not.toContain('KILL -10')
    expect(await s.after(100)).toBeLessThanOrEqual(1_030)
    expect(s.said).toEqual(['slot-10 (pid 10) has not ended within 1000 ms of SIGTERM; it is killed'])
    expect(s.stop().wasKilled(10)).toBe(true)
  })

  test('no process gets longer than the total less the time for the logs', async () => {
    const s = scene({ totalMs: 4_000 })
    s.slot(10, 'TERM', 60_000, [])
    s.setMain(11, [])
    s.add(12, 'stray', [], 10)
    await s.after(2_490)
    expect(s.sent.filter((one) => one.startsWith('KILL'))).toEqual([])
    await s.after(50)
    expect(s.sent.filter((one) => one.startsWith('KILL'))).toEqual(['KILL -10', 'KILL 11', 'KILL 12'])
    expect(s.said).toEqual([
      'still waiting for slot-10 (pid 10), the main program (main) (pid 11), comm-12 (pid 12)'.replace(
        'comm-12',
        'stray',
      ),
      'still running after 2500 ms, so killed: slot-10 (pid 10), the main program (main) (pid 11), stray (pid 12)',
    ])
    expect(await s.after(100)).toBeLessThanOrEqual(2_550)
  })

  test('a total of less than the reserve still leaves some time to obey', async () => {
    const s = scene({ totalMs: 1_000 })
    s.slot(10, 'TERM', 60_000, [])
    await s.after(400)
    expect(s.sent).not.toContain('KILL -10')
    expect(await s.after(300)).toBeLessThanOrEqual(600)
  })

  test('a second stop request kills now', async () => {
    const s = scene()
    s.slot(10, 'TERM', 60_000, [])
    await s.after(50)
    s.stop().hurry()
    expect(await s.after(100)).toBeLessThanOrEqual(100)
    expect(s.sent).toContain('KILL -10')
  })

  test('strangers that did not descend from us are not waited for longer than a second', async () => {
    const s = scene()
    s.add(20, 'bash', [], 0)
    expect(await s.after(1_200)).toBeGreaterThanOrEqual(1_000)
    expect(s.sent).toEqual(['TERM 20', 'CONT 20'])
  })

  test('not PID 1: processes that do not descend from us are left alone', async () => {
    const s = scene({ pid1: false })
    s.add(20, 'neighbour', [], 0)
    s.slot(10, 'TERM', 1_000, ['TERM'])
    await s.after(100)
    expect(s.sent).toEqual(['TERM 10', 'CONT 10'])
  })

  test('a process that not even KILL ends does not keep the container from ending, and is named', async () => {
    const s = scene({ totalMs: 3_000 })
    s.setMain(10, 'nothing')
    expect(await s.after(2_500)).toBeLessThanOrEqual(2_020)
    expect(s.said.at(-1)).toBe(
      'still there after SIGKILL: the main program (main) (pid 10). The container ends without them',
    )
  })

  test('CONT comes after the signal: otherwise a stopped process would run on before it gets the signal', async () => {
    const s = scene()
    s.slot(10, 'HUP', 1_000, ['HUP'])
    await s.after(50)
    expect(s.sent.slice(0, 2)).toEqual(['HUP 10', 'CONT 10'])
    expect(SIGNALS.CONT).toBe(18)
  })
})

describe('services at the stop', () => {
  const told = (sent: readonly string[]): readonly string[] => sent.filter((one) => !one.startsWith('CONT'))

  test('come after everything else, the deepest first, each depth when the one before is gone', async () => {
    const s = scene()
    s.slot(10, 'TERM', 5_000, [], 0)
    s.slot(11, 'INT', 5_000, [], 1)
    s.slot(12, 'TERM', 5_000, [], 1)
    s.slot(20, 'TERM', 5_000, [])
    s.setMain(30, [])
    s.unfinished.set('service-prepare', 0)
    await s.after(50)
    expect(told(s.sent)).toEqual(['TERM 20', 'TERM 30'])
    s.end(20)
    expect(told(s.sent)).toHaveLength(2)
    s.end(30)
    expect(told(s.sent).slice(2)).toEqual(['INT 11', 'TERM 12'])
    s.end(11)
    expect(told(s.sent)).toHaveLength(4)
    s.end(12)
    expect(told(s.sent).slice(4)).toEqual(['TERM 10', 'finish service-prepare'])
    s.end(10)
    expect(await s.after(50)).toBeDefined()
    expect(s.said).toEqual([])
  })

  test('one that does not obey holds up its dependencies for half of the time only', async () => {
    const s = scene({ totalMs: 8_000 })
    s.slot(10, 'TERM', 60_000, ['TERM'], 0)
    s.slot(11, 'TERM', 60_000, [], 1)
    await s.after(3_240)
    expect(told(s.sent)).toEqual(['TERM 11'])
    await s.after(50)
    expect(told(s.sent)).toEqual(['TERM 11', 'TERM 10'])
    expect(await s.after(4_000)).toBeLessThanOrEqual(6_550)
  })

  test('a logger sees the end of its input, and gets the stop signal a second later if that was not enough', async () => {
    const s = scene()
    s.slot(10, 'TERM', 5_000, ['TERM'], 0)
    s.loggers.add('slot-10')
    await s.after(990)
    expect(told(s.sent)).toEqual(['end of input slot-10'])
    expect(await s.after(100)).toBeLessThanOrEqual(1_050)
    expect(told(s.sent)).toEqual(['end of input slot-10', 'TERM 10'])
  })

  test('it ends in its time even where every step of it fails', async () => {
    const s = scene({ totalMs: 8_000 })
    s.slot(10, 'TERM', 5_000, [])
    s.breakDown()
    expect(await s.after(9_000)).toBe(8_500)
    expect(s.said).toContainEqual(expect.stringContaining('a bug while stopping: Error: no foreseen error'))
  })

  test('the processes that a service has started in its session are its own to end', async () => {
    const s = scene()
    s.slot(10, 'TERM', 5_000, ['TERM'], 0)
    s.add(11, 'worker', ['TERM'], 10, 10)
    s.setMain(30, [])
    await s.after(50)
    expect(told(s.sent)).toEqual(['TERM 30'])
  })
})
