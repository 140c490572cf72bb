import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ToSupervisor } from '../../../src/protocol/init.ts'
import { startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

describe.skipIf(why !== undefined)(`init and its supervisor (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('the supervisor runs as the runtime user, in a session of its own, with an environment of init’s making', async () => {
    await using box = await startInit({
      env: { PUID: '1234', PGID: '4321', SECRET: 'x', NODE_OPTIONS: '--no-such-option' },
    })
    const { uid, groups, env, start, pid } = await box.install.life(1)
    expect(uid).toBe(1234)
    expect(groups).toEqual([4321])
    expect(Object.keys(env)).toEqual(['PATH'])
    expect(start).toMatchObject({ pid1: true, dropped: true, layout: 'image', home: box.home, main: [] })
    const stat = await box.ok('cat', `/proc/${pid}/stat`)
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]).toBe(String(pid))
    expect(await box.ok('cat', '/run/s6/container_environment/NODE_OPTIONS')).toBe('--no-such-option\n')
  })

  test('a start runs the slot’s script as the runtime user and says what is running', async () => {
    await using box = await startInit({ slots: { web: 'echo "$(id -u) $HERMES_SLOT $PWD" >&2; exec sleep 1000' } })
    const supervisor = await box.supervisor()
    const facts = await supervisor.spawned('web')
    expect(facts.child).toBe(1)
    await box.slotLines('web', '10000 web /\n')
    const stat = await box.ok('cat', `/proc/${facts.pid}/stat`)
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect(fields.slice(2, 4)).toEqual([String(facts.pid), String(facts.pid)])
    expect(fields[19]).toBe(String(facts.startTime))
  })

  test('a second process for a slot that has one is refused', async () => {
    await using box = await startInit({ slots: { web: 'exec sleep 1000' } })
    const supervisor = await box.supervisor()
    const { pid } = await supervisor.spawned('web')
    await expect(supervisor.spawned('web')).rejects.toThrow(`a process of it lives: pid ${pid}`)
  })

  test.each([
    { script: 'exit 7', ending: { exitCode: 7 } },
    { script: 'kill -USR2 $$', ending: { signal: 'USR2' } },
    { script: 'kill -40 $$', ending: { signal: 'RTMIN+6' } },
  ])('the end of a slot is reported as wait(2) has it: $script', async ({ script, ending }) => {
    await using box = await startInit({ slots: { web: script } })
    const supervisor = await box.supervisor()
    const { pid, child } = await supervisor.spawned('web')
    expect(await supervisor.got('exit')).toMatchObject({
      seq: 1,
      child,
      slot: 'web',
      pid,
      ending,
      leftoversKilled: false,
    })
  })

  test('readiness is the first newline on the notification fd, also of a service that ends right after it', async () => {
    await using box = await startInit({
      slots: { a: 'printf x >&5; printf "\\n" >&5; exec sleep 1000', b: 'echo >&3', c: 'printf x >&3' },
    })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a', { notificationFd: 5 })
    await supervisor.got('ready', ({ slot }) => slot === 'a')
    await supervisor.spawned('b', { notificationFd: 3 })
    await supervisor.got('exit', ({ slot }) => slot === 'b')
    await supervisor.spawned('c', { notificationFd: 3 })
    await supervisor.got('exit', ({ slot }) => slot === 'c')
    expect(supervisor.sequenced().map(({ type, slot }) => `${type} ${slot}`)).toEqual([
      'ready a',
      'ready b',
      'exit b',
      'exit c',
    ])
  })

  test('a slot inherits nothing but its three streams', async () => {
    await using box = await startInit({ slots: { web: 'ls -C -w 1000 /proc/$$/fd; exec sleep 1000' } })
    const supervisor = await box.supervisor()
    await supervisor.spawned('web')
    const open = (await box.slotLines('web', '\n')).trim().split(/\s+/)
    // Descriptors that the test's surroundings left open in PID 1 are not init's; 10 is the script that the shell
    // reads.
    const fds = `/proc/${box.pid1.pid}/fdinfo`
    // The bit of O_CLOEXEC, 02000000; an O_PATH descriptor has another digit before it.
    // Descriptors that PID 1 has closed since the directory was read were its own.
    const isForeign = (fd: string): boolean =>
      existsSync(join(fds, fd)) && !/^flags:\s*\d*[2367]\d{6}$/m.test(readFileSync(join(fds, fd), 'utf8'))
    const theirs = readdirSync(fds).filter(isForeign)
    expect(open.filter((fd) => fd !== '10' && !theirs.includes(fd))).toEqual(['0', '1', '2'])
    expect(theirs.filter((fd) => Number(fd) < 100)).toEqual([])
  })

  test('the leftovers of a dead slot’s group are killed, unless the slot forbids it', async () => {
    const script = 'sleep 1000 & exit 0'
    await using box = await startInit({ slots: { tidy: script, loose: script, clean: 'exit 0' } })
    const supervisor = await box.supervisor()
    for (const slot of ['tidy', 'loose', 'clean']) await supervisor.spawned(slot, { killLeftovers: slot !== 'loose' })
    const ends = await Promise.all(
      ['tidy', 'loose', 'clean'].map((name) => supervisor.got('exit', ({ slot }) => slot === name)),
    )
    expect(ends.map(({ leftoversKilled }) => leftoversKilled)).toEqual([true, false, false])
    await waitFor('one sleep to be left', () => box.others().join() === 'sleep')
  })

  test('a signal reaches the process alone or its whole group', async () => {
    const script =
      'trap "echo parent $1" USR1; (trap "echo child" USR1; while :; do sleep 0.05; done) & echo ready; while :; do sleep 0.05; done'
    await using box = await startInit({ slots: { web: script } })
    const supervisor = await box.supervisor()
    const { child } = await supervisor.spawned('web')
    await box.slotLines('web', 'ready')
    supervisor.send({ type: 'signal', child, signal: 'USR1', target: 'process' })
    expect(await box.slotLines('web', 'parent')).not.toContain('child')
    supervisor.send({ type: 'signal', child, signal: 'USR1', target: 'group' })
    await box.slotLines('web', 'child')
    supervisor.send({ type: 'signal', child: 99, signal: 'KILL', target: 'group' })
    supervisor.send({ type: 'signal', child, signal: 'KILL', target: 'process' })
    expect(await supervisor.got('exit')).toMatchObject({ ending: { signal: 'KILL' } })
  })

  test('after kill -9 the next supervisor learns of the living and of what it has not acknowledged, in order', async () => {
    await using box = await startInit({ slots: { a: 'echo >&3; exec sleep 1000', b: 'exit 3', c: 'exit 4' } })
    const first = await box.supervisor()
    await first.spawned('c')
    await first.got('exit', ({ slot }) => slot === 'c')
    first.acknowledgeAll()
    const a = await first.spawned('a', { notificationFd: 3 })
    const ready = await first.got('ready')
    await first.spawned('b')
    await first.got('exit', ({ slot }) => slot === 'b')
    first.dieOn('sent:pong')
    first.send({ type: 'pong', n: 0 })
    const second = await box.install.life(2)
    const welcome = await second.hello()
    expect(welcome.children).toEqual([{ ...a, readyAtMs: ready.atMs }])
    expect(welcome).toMatchObject({ begun: true, lease: 'held', replay: 2 })
    await waitFor('the replay', () => second.sequenced().length === 2)
    expect(second.sequenced()).toEqual(first.sequenced().filter(({ seq }) => seq >= ready.seq))
    expect(second.received.findIndex((m) => m.type === 'welcome')).toBe(0)
  })

  // The supervisor dies at every step of the protocol, while a slot is being started and another one ends.
  const steps: readonly (ToSupervisor['type'] | 'sent:spawn' | 'sent:ack' | 'sent:signal')[] = [
    'welcome',
    'begin',
    'sent:spawn',
    'spawned',
    'ready',
    'exit',
    'spawn-failed',
    'sent:ack',
    'sent:signal',
  ]
  test.each(steps)(
    'killed at %s: no process is started twice, none is lost, every end is reported once',
    async (step) => {
      const script = 'echo started; echo >&3; trap "exit 9" TERM; while :; do sleep 0.02; done'
      // The boot waits for us, so that `begin` is a message of its own and not a word in the welcome.
      const hook = '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.02; done'
      await using box = await startInit({ slots: { a: script }, initHooks: { wait: hook } })
      const first = await box.install.life(1)
      first.dieOn(step)
      first.send({ type: 'hello', v: 1 })
      writeFileSync(box.path('/run/go'), '')
      first.spawn('a', { notificationFd: 3 })
      first.spawn('a', { notificationFd: 3 })
      const sawLife = (): boolean => first.received.some((m) => m.type === 'ready') || first.ended
      await waitFor('the slot to be ready, or the end', sawLife)
      first.send({ type: 'signal', child: 1, signal: 'TERM', target: 'process' })
      await waitFor(
        'the slot to end, or the supervisor',
        () => first.received.some((m) => m.type === 'exit') || first.ended,
      )
      first.send({ type: 'ack', seq: 1 })
      await waitFor('the first supervisor to die', () => first.ended)

      const second = await box.install.life(2)
      const welcome = await second.hello()
      await waitFor('the whole replay', () => second.sequenced().length >= welcome.replay)
      const child = welcome.children.find(({ slot }) => slot === 'a')
      // Killed before it has written that it started, it would never write it.
      const written = child === undefined ? '' : await box.slotLines('a', 'started\n')
      if (child !== undefined) {
        await expect(second.spawned('a')).rejects.toThrow('a process of it lives')
        second.send({ type: 'signal', child: child.child, signal: 'KILL', target: 'group' })
        await second.got('exit', (m) => m.child === child.child)
      }
      const told = [...first.sequenced(), ...second.sequenced()]
      const exits = told.filter((m) => m.type === 'exit')
      // Reported again only if it was not acknowledged, and then as the same event.
      expect(new Set(exits.map(({ seq }) => seq)).size).toBeLessThanOrEqual(1)
      const known = child !== undefined || exits.length > 0 || first.received.some((m) => m.type === 'spawned')
      const line = written || (known ? await box.slotLines('a', 'started\n') : '')
      const lines = known ? line + box.readLog('a') : line
      const starts = lines.split('started').length - 1
      expect(starts).toBe(known ? 1 : 0)
      const again = await second.spawned('a')
      expect(again.child).toBe(known ? 2 : 1)
    },
  )

  test('requests that wait in a dead supervisor’s socket are never carried out', async () => {
    await using box = await startInit({ slots: { a: 'exec sleep 1000' } })
    const first = await box.supervisor()
    const many = Array.from({ length: 3000 }, (_, i) =>
      JSON.stringify({
        type: 'spawn',
        request: i,
        slot: `s${i}`,
        stopSignal: 'TERM',
        stopTimeoutMs: 1,
        notificationFd: null,
        killLeftovers: true,
      }),
    )
    first.dieOn('spawned')
    first.dieOn('spawn-failed')
    first.sendRaw(`${many.join('\n')}\n`)
    await waitFor('it to die', () => first.ended)
    const second = await box.install.life(2)
    const { children, replay } = await second.hello()
    await waitFor('the replay', () => second.sequenced().length >= replay)
    // They have no run file, so they end soon; those that have ended are in the replay.
    for (const { child } of children) await second.got('exit', (m) => m.child === child)
    const started = second.sequenced().length
    await second.spawned('a')
    expect(second.sequenced().length).toBe(started)
    expect(started).toBeLessThan(3000)
  })

  test('a supervisor that lived a second and sent hello is back at once; one that did not waits longer each time', async () => {
    await using box = await startInit()
    for (const [n, delay] of [
      [1, '0.25 s'],
      [2, '0.5 s'],
      [3, '1 s'],
    ] as const) {
      const life = await box.install.life(n)
      life.dieOn('sent:pong')
      life.send({ type: 'pong', n: 0 })
      await waitFor('its end to be told', () => box.pid1.stderr().includes(`started again in ${delay}`))
    }
    const good = await box.install.life(4)
    const bornAtMs = performance.now()
    await good.hello()
    await waitFor('it to live a second', () => performance.now() - bornAtMs > 1_100)
    await box.ok('kill', '-KILL', String(good.pid))
    await box.pid1.saw('started again at once')
    const last = await box.install.life(5)
    expect(last.pid).not.toBe(good.pid)
  })

  test('HUP is passed on as reconcile', async () => {
    await using box = await startInit()
    const supervisor = await box.supervisor()
    box.pid1.signal('HUP')
    await supervisor.got('reconcile')
  })

  test('forget removes the log FIFO of a slot without a process, and no other', async () => {
    await using box = await startInit({ slots: { a: 'exec sleep 1000', b: 'exit 0' } })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    await supervisor.spawned('b')
    await supervisor.got('exit')
    supervisor.send({ type: 'forget', slot: 'a' })
    supervisor.send({ type: 'forget', slot: 'b' })
    await waitFor('one FIFO to be left', async () => (await box.ok('ls', '/run/hermes/log')) === 'a\n')
    expect(await box.ok('stat', '-c', '%F %u %a', '/run/hermes/log/a', '/run/hermes/log')).toBe(
      'fifo 10000 600\ndirectory 0 711\n',
    )
  })

  test('output that a slot writes while there is no supervisor waits for the next one', async () => {
    await using box = await startInit({ slots: { a: 'echo one; echo two; exec sleep 1000' } })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    supervisor.command({ close: true })
    await box.install.life(2)
    expect(await box.slotLines('a', 'two')).toBe('one\ntwo\n')
  })

  test('an essential slot’s end, reported by the supervisor, ends the container with its code and the reason', async () => {
    await using box = await startInit()
    const supervisor = await box.supervisor()
    supervisor.send({ type: 'shutdown', exitCode: 44, reason: 'the essential slot web has ended' })
    await supervisor.got('stop')
    supervisor.send({ type: 'drained' })
    expect(await box.exit()).toEqual({ code: 44 })
    expect(box.pid1.stderr()).toContain('the essential slot web has ended')
  })

  test('lines of init are on the console and in the supervisor’s log', async () => {
    await using box = await startInit({ env: { HERMES_STOP_TIMEOUT: 'soon', LOG_FORMAT: 'json' } })
    const supervisor = await box.supervisor()
    const note = await supervisor.got('note')
    expect(note.text).toContain('HERMES_STOP_TIMEOUT: expected seconds')
    const line = JSON.parse(await box.pid1.saw('HERMES_STOP_TIMEOUT'))
    expect(line).toMatchObject({ level: 'warn', component: 'init', message: note.text })
  })

  test('the machine’s own accounts were not touched by any of this', () => {
    expect(readFileSync('/etc/passwd', 'utf8')).not.toMatch(/^hermes:/m)
  })
})
