import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type InitBox, startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

/** Ends at TERM, and says so first. */
const obeys = 'trap "echo got TERM; exit 0" TERM; echo ready; while :; do sleep 0.02; done'
const ignores = 'trap "" TERM; echo ready; while :; do sleep 0.02; done'

/** A box that has booted, with these slots running and ready. */
async function running(slots: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const box = await startInit({ slots, env })
  const supervisor = await box.supervisor()
  if (!(await supervisor.got('welcome')).begun) await supervisor.got('begin')
  const pids: number[] = []
  for (const slot of Object.keys(slots)) pids.push((await supervisor.spawned(slot)).pid)
  for (const slot of Object.keys(slots)) await box.slotLines(slot, 'ready')
  return { box, supervisor, pids, [Symbol.asyncDispose]: () => box[Symbol.asyncDispose]() }
}

const drains = async ({ supervisor }: Awaited<ReturnType<typeof running>>): Promise<void> => {
  await supervisor.got('stop')
  supervisor.send({ type: 'drained' })
}

const elapsed = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAtMs = performance.now()
  await work()
  return performance.now() - startedAtMs
}

const stopped = (box: InitBox): Promise<unknown> => {
  box.pid1.signal('TERM')
  return box.exit()
}

describe.skipIf(why !== undefined)(`stop (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test.each(['TERM', 'INT', 'QUIT'] as const)('%s stops every slot and ends with 0', async (signal) => {
    await using life = await running({ a: obeys, b: obeys })
    life.box.pid1.signal(signal)
    await life.supervisor.got('exit', ({ slot }) => slot === 'a')
    await life.supervisor.got('exit', ({ slot }) => slot === 'b')
    await drains(life)
    expect(await life.box.exit()).toEqual({ code: 0 })
  })

  test('init with no descriptor left, which cannot read the process table, stops all the same', async () => {
    await using life = await running({ a: obeys, b: ignores }, { HERMES_STOP_TIMEOUT: '3' })
    const { pid } = life.box.pid1
    const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
    let free = 0
    while (taken.has(free)) free++
    // No number below that is free (getrlimit(2), RLIMIT_NOFILE).
    expect(spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${free}:${free}`]).status).toBe(0)
    life.box.pid1.signal('TERM')
    await life.box.pid1.saw('only slots and the main program are waited for: EMFILE')
    await drains(life)
    expect(await life.box.exit()).toEqual({ code: 0 })
  })

  test('a slot gets the stop signal that was handed over with its start', async () => {
    await using life = await running({})
    life.box.writeRun('a', 'trap "echo got QUIT; exit 6" QUIT; echo ready; while :; do sleep 0.02; done')
    await life.supervisor.spawned('a', { stopSignal: 'QUIT' })
    await life.box.slotLines('a', 'ready')
    life.box.pid1.signal('TERM')
    expect(await life.supervisor.got('exit')).toMatchObject({ ending: { exitCode: 6 } })
  })

  test('finish hooks that cannot be given an environment any more do not keep the container from ending', async () => {
    await using box = await startInit({ finishHooks: { bye: '#!/bin/sh\necho bye' } })
    // The boot reads the environment, too.
    await box.supervisor()
    await box.pid1.saw('without a main program')
    rmSync(box.path('/run/s6/container_environment'), { recursive: true })
    expect(await stopped(box)).toEqual({ code: 0 })
    expect(box.pid1.stderr()).toContain('/etc/cont-finish.d: its hooks are left out: ENOENT')
  })

  test('a stopped process is continued, so that it can obey', async () => {
    await using life = await running({ a: obeys })
    life.supervisor.send({ type: 'signal', child: 1, signal: 'STOP', target: 'process' })
    await waitFor('it to be stopped', () => life.box.pid1.processes().some(({ state }) => state === 'T'))
    life.box.pid1.signal('TERM')
    expect(await life.supervisor.got('exit')).toMatchObject({ ending: { exitCode: 0 } })
  })

  test('one that ignores TERM is killed after its own grace, and named', async () => {
    await using life = await running({})
    life.box.writeRun('deaf', ignores)
    const { pid } = await life.supervisor.spawned('deaf', { stopTimeoutMs: 300 })
    await life.box.slotLines('deaf', 'ready')
    const ms = await elapsed(async () => {
      life.box.pid1.signal('TERM')
      expect(await life.supervisor.got('exit')).toMatchObject({ ending: { signal: 'KILL' } })
    })
    expect(ms).toBeGreaterThan(290)
    await drains(life)
    expect(await life.box.exit()).toEqual({ code: 0 })
    expect(life.box.pid1.stderr()).toContain(`deaf (pid ${pid}) has not ended within 300 ms of SIGTERM; it is killed`)
  })

  test('whatever ignores TERM longer than the whole stop allows is killed then, with its grandchildren, and waited for aloud', async () => {
    await using life = await running({ deaf: `trap "" TERM; (${ignores}) & ${ignores}` }, { HERMES_STOP_TIMEOUT: '4' })
    const ms = await elapsed(async () => {
      life.box.pid1.signal('TERM')
      expect(await life.supervisor.got('exit')).toMatchObject({ ending: { signal: 'KILL' } })
    })
    expect(ms).toBeGreaterThan(2_400)
    await drains(life)
    await life.box.exit()
    expect(life.box.pid1.stderr()).toMatch(/still waiting for .*deaf \(pid \d+\)/)
    const [, afterMs] = /still running after (\d+) ms, so killed: .*deaf \(pid \d+\)/.exec(life.box.pid1.stderr()) ?? []
    expect(Number(afterMs)).toBeGreaterThanOrEqual(2_500)
  })

  test('a grandchild in a session of its own is signalled, too, and waited for', async () => {
    await using life = await running({
      a: 'setsid sh -c \'trap "echo child got TERM; exit" TERM; echo ready; while :; do sleep 0.02; done\' & exec sleep 1000',
    })
    life.box.pid1.signal('TERM')
    await life.box.slotLines('a', 'child got TERM')
    await drains(life)
    expect(await life.box.exit()).toEqual({ code: 0 })
  })

  test('a start that comes during the stop is refused', async () => {
    await using life = await running({ deaf: ignores }, { HERMES_STOP_TIMEOUT: '60' })
    life.box.writeRun('new', 'exec sleep 1000')
    life.box.pid1.signal('TERM')
    await life.supervisor.got('stop')
    await expect(life.supervisor.spawned('new')).rejects.toThrow('the container stops')
  })

  test('works without a supervisor: dead, and not started again', async () => {
    await using life = await running({ a: obeys })
    life.supervisor.command({ close: true })
    await waitFor('it to be gone', () => life.supervisor.ended)
    expect(await stopped(life.box)).toEqual({ code: 0 })
  })

  test.each([
    ['one second', '1', 450, 2_500],
    ['eight seconds', '8', 2_900, 6_000],
  ])(
    'a stop of %s works with a supervisor that does not read, for whose logs it waits',
    async (_, total, least, most) => {
      await using life = await running({ a: obeys }, { HERMES_STOP_TIMEOUT: total })
      life.supervisor.command({ deaf: true })
      const ms = await elapsed(() => stopped(life.box))
      expect(ms).toBeGreaterThan(least)
      expect(ms).toBeLessThan(stretchedMs(most))
    },
  )

  test('a supervisor that takes a second for the last lines is not ended before', async () => {
    await using life = await running({ a: obeys })
    life.box.pid1.signal('TERM')
    await life.supervisor.got('exit', ({ slot }) => slot === 'a')
    // The machine's own time has to pass.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(life.supervisor.ended).toBe(false)
    await drains(life)
    expect(await life.box.exit()).toEqual({ code: 0 })
  })

  test('a supervisor that dies during the stop is replaced, so that the logs are written out, and the next one is notified of the stop', async () => {
    await using life = await running({}, { HERMES_STOP_TIMEOUT: '120' })
    life.box.writeRun('deaf', ignores)
    // It is still there when the second supervisor has loaded.
    const { pid } = await life.supervisor.spawned('deaf', { stopTimeoutMs: 100_000 })
    await life.box.slotLines('deaf', 'ready')
    life.box.pid1.signal('TERM')
    await life.supervisor.got('stop')
    await life.box.ok('kill', '-KILL', String(life.supervisor.pid))
    const second = await life.box.install.life(2)
    await second.hello()
    await second.got('stop')
    await life.box.ok('kill', '-KILL', String(pid))
    await second.got('exit')
    second.send({ type: 'drained' })
    expect(await life.box.exit()).toEqual({ code: 0 })
  })

  test('it ends the moment everything is gone: fifty idle slots, no fixed sleeps', async () => {
    const names = Array.from({ length: 50 }, (_, i) => `slot-${i}`)
    const box = await startInit()
    await using _ = box
    const supervisor = await box.supervisor()
    for (const name of names) box.writeRun(name, 'exec sleep 1000')
    await Promise.all(names.map((name) => supervisor.spawned(name)))
    const ms = await elapsed(async () => {
      box.pid1.signal('TERM')
      await Promise.all(names.map((name) => supervisor.got('exit', ({ slot }) => slot === name)))
      supervisor.send({ type: 'drained' })
      await box.exit()
    })
    // Far below every grace and every deadline of the stop.
    expect(ms).toBeLessThan(stretchedMs(3_000))
  })

  test('a user’s shell in the container that ignores TERM delays the stop by a second at most', async () => {
    await using life = await running({ a: obeys })
    void life.box.pid1.exec(['sh', '-c', ignores]).catch(() => undefined)
    await waitFor('the shell', () =>
      life.box.pid1.processes().some(({ parent, inside }) => inside > 1 && parent !== life.box.pid1.pid),
    )
    expect(
      await elapsed(async () => {
        life.box.pid1.signal('TERM')
        await drains(life)
        expect(await life.box.exit()).toEqual({ code: 0 })
      }),
    ).toBeLessThan(stretchedMs(3_500))
  })

  test('TERM while a boot hook runs stops at once, and the hook gets the signal', async () => {
    const hook = '#!/bin/sh\ntrap "echo hook got TERM; exit 1" TERM\necho hook runs\nwhile :; do sleep 0.02; done'
    await using box = await startInit({ initHooks: { '10-slow': hook }, args: ['sh', '-c', 'echo main'] })
    await box.pid1.saw('hook runs')
    expect(await stopped(box)).toEqual({ code: 0 })
    expect(box.pid1.lines()).toContain('hook got TERM')
    expect(box.pid1.lines()).not.toContain('main')
  })

  test('finish hooks run last, as root, when everything else is gone; one that hangs ends with the stop’s time', async () => {
    const look = '#!/bin/sh\necho "finish as $(id -u), others: $(ps -eo comm= | grep -c sleep)"'
    await using box = await startInit({
      slots: { a: 'exec sleep 1000' },
      finishHooks: { '10-look': look, '20-hang': '#!/bin/sh\nexec sleep 1000' },
      env: { HERMES_STOP_TIMEOUT: '3' },
    })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    const ms = await elapsed(async () => {
      box.pid1.signal('TERM')
      await supervisor.got('exit')
      supervisor.send({ type: 'drained' })
      expect(await box.exit()).toEqual({ code: 0 })
    })
    expect(box.pid1.lines()).toContain('finish as 0, others: 0')
    expect(ms).toBeGreaterThan(2_900)
    expect(box.pid1.stderr()).toContain('no time is left')
  })
})

describe.skipIf(why !== undefined)(`reaping (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('10,000 orphans within 2 s beside 200 children: no zombie stays, no exit is missed or wrong', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `own-${i}`)
    // The exit code says which slot it was.
    const script = (i: number): string =>
      `until [ -e /run/go ]; do sleep 0.1; done; sleep 0.$((RANDOM % 10)); exit ${i}`
    const box = await startInit()
    await using _ = box
    const supervisor = await box.supervisor()
    names.forEach((name, i) => {
      box.writeRun(name, script(i))
    })
    await Promise.all(names.map((name) => supervisor.spawned(name)))
    writeFileSync(box.path('/run/go'), '')
    // Each `sh -c '… &'` ends at once, so its children are init's.
    const storm = 'i=0; while [ $i -lt 10000 ]; do (/bin/true &) ; i=$((i+1)); done'
    const [{ code }] = await Promise.all([
      box.pid1.exec(['sh', '-c', storm]),
      ...names.map((name) => supervisor.got('exit', ({ slot }) => slot === name)),
    ])
    expect(code).toBe(0)
    const ends = supervisor.sequenced().filter((m) => m.type === 'exit')
    expect(ends).toHaveLength(200)
    for (const { slot, ending } of ends) expect([slot, ending]).toEqual([slot, { exitCode: Number(slot.slice(4)) }])
    await waitFor('the last zombie to go', () => {
      const left = box.others()
      if (left.length === 0) return true
      throw new Error(left.join())
    })
  })

  test('an orphan made in the container is gone within a second', async () => {
    await using box = await startInit()
    await box.supervisor()
    await box.ok('sh', '-c', '(sleep 0.2 &) ; exit 0')
    const startedAtMs = performance.now()
    await waitFor('the orphan to go', () => box.others().length === 0)
    expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(1_500))
  })

  test('a child of init that init does not reap would be seen', async () => {
    await using box = await startInit()
    await box.supervisor()
    box.pid1.signal('STOP')
    await box.ok('sh', '-c', '(exit 0 &) ; exit 0')
    await waitFor('a zombie', () => box.others().some((name) => name.startsWith('Z ')))
    box.pid1.signal('CONT')
    await waitFor('no zombie', () => box.others().length === 0)
  })
})
