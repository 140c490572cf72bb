import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { size } from '../../support/size.ts'
import { type InitBox, startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

const isOwned = (box: InitBox): boolean => existsSync(box.path('/run/owned'))

const spawnOf = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({
    type: 'spawn',
    request: 1,
    slot: 'a',
    stopSignal: 'TERM',
    stopTimeoutMs: 1,
    notificationFd: null,
    killLeftovers: true,
    ...fields,
  })

const HOSTILE_LINES: readonly (readonly [what: string, line: string])[] = [
  ['no JSON', 'spawn a'],
  ['an array', '[1]'],
  ['null', 'null'],
  ['deep nesting', '['.repeat(100_000)],
  ['no type', '{}'],
  ['a type of Object.prototype', '{"type":"constructor"}'],
  ['a type that is no text', '{"type":7}'],
  ['a slot that leaves its directory', spawnOf({ slot: '../../etc' })],
  ['a slot with a slash', spawnOf({ slot: 'a/b' })],
  ['a slot with a NUL', spawnOf({ slot: 'a\0b' })],
  ['a slot with a newline', spawnOf({ slot: 'a\nb' })],
  ['a slot of dots', spawnOf({ slot: '..' })],
  ['a slot like an option', spawnOf({ slot: '--reuid=0' })],
  ['an empty slot', spawnOf({ slot: '' })],
  ['a slot that is no text', spawnOf({ slot: ['a'] })],
  ['a slot too long for a file', spawnOf({ slot: 'a'.repeat(300) })],
  ['a signal by number', spawnOf({ stopSignal: 9 })],
  ['a signal of Object.prototype', spawnOf({ stopSignal: 'toString' })],
  ['an endless grace', spawnOf({ stopTimeoutMs: 1e300 })],
  ['a negative grace', spawnOf({ stopTimeoutMs: -1 })],
  ['a notification fd that is a stream', spawnOf({ notificationFd: 1 })],
  ['a notification fd without end', spawnOf({ notificationFd: 1e9 })],
  ['a notification fd that is no whole number', spawnOf({ notificationFd: 3.5 })],
  ['a signal for a pid', '{"type":"signal","child":-1,"signal":"KILL","target":"group"}'],
  ['a signal for everybody', '{"type":"signal","child":0,"signal":"KILL","target":"group"}'],
  ['a signal nobody has', '{"type":"signal","child":1,"signal":"RTMIN+31","target":"group"}'],
  ['to forget a path', '{"type":"forget","slot":"../identity"}'],
  ['an exit code past the end', '{"type":"shutdown","exitCode":256,"reason":""}'],
  ['a reason that is a book', JSON.stringify({ type: 'shutdown', exitCode: 0, reason: 'x'.repeat(5_000) })],
  ['an acknowledgement of the future', '{"type":"ack","seq":1e400}'],
  ['a lease of its own', '{"type":"lease","state":"held"}'],
  ['a program by its path', spawnOf({ program: '/bin/sh' })],
  ['a program nobody has', spawnOf({ program: 'run2' })],
  ['hello again', '{"type":"hello","v":1}'],
  ['a hello of the future', '{"type":"hello","v":99}'],
]

describe.skipIf(why !== undefined)(`a hostile supervisor (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  // init names the first five of a supervisor's life, so that many share a box.
  const fives = Array.from({ length: Math.ceil(HOSTILE_LINES.length / 5) }, (_, i) =>
    HOSTILE_LINES.slice(i * 5, i * 5 + 5),
  )
  test.each(fives.map((lines) => [lines.map(([what]) => what).join(', '), lines] as const))(
    'refused and named, and nothing else happens: %s',
    async (_, lines) => {
      await using box = await startInit({ slots: { a: 'exec sleep 1000' } })
      const supervisor = await box.supervisor()
      for (const [, line] of lines) supervisor.sendRaw(`${line}\n`)
      await waitFor(
        'all to be refused',
        () => box.pid1.stderr().split('what init does not take').length === lines.length + 1,
      )
      // Everything still works, and it is the same supervisor.
      expect((await supervisor.spawned('a')).child).toBe(1)
      expect(await box.ok('ls', '/run/hermes/log')).toBe('a\n')
      expect(box.install.lives).toHaveLength(1)
    },
  )

  test('fields beyond the protocol’s change nothing about who runs what', async () => {
    await using box = await startInit({
      slots: { a: 'echo "$(id -u):$(id -g) $(pwd) $*"; env; echo done; exec sleep 1000' },
    })
    const supervisor = await box.supervisor()
    supervisor.sendRaw(
      `${spawnOf({ uid: 0, gid: 0, identity: { uid: 0 }, command: ['/bin/sh', '-c', 'touch /run/owned'], args: ['x'], env: { LD_PRELOAD: '/x', PATH: '/x' }, cwd: '/tmp', prefix: [], __proto__: { uid: 0 } })}\n`,
    )
    const lines = await box.slotLines('a', 'done\n')
    expect(lines).toMatch(/^10000:10000 \/ \n/)
    const names = lines
      .split('\n')
      .slice(1, -2)
      .map((line) => line.split('=')[0])
    expect(names.sort()).toEqual(['HERMES_SLOT', 'HOME', 'LOGNAME', 'PATH', 'PWD', 'USER'])
    expect(isOwned(box)).toBe(false)
  })

  test('a line without end and ten thousand bad ones end it, and affect no other process', async () => {
    await using box = await startInit({ slots: { a: 'exec sleep 1000' } })
    const first = await box.supervisor()
    const { pid } = await first.spawned('a')
    first.sendRaw('{}\n'.repeat(10_000))
    first.sendRaw('x'.repeat(1_100_000))
    await box.pid1.saw('sent a line of more than 1000000 bytes; it is killed')
    await box.pid1.saw('had sent 10000 messages that init does not take')
    expect(box.pid1.stderr().split('\n').length).toBeLessThan(20)
    const second = await box.install.life(2)
    expect((await second.hello()).children.map((child) => child.pid)).toEqual([pid])
  })

  test('a flood of starts is bounded, refused by name and does not keep init from stopping', async () => {
    await using box = await startInit({ env: { HERMES_STOP_TIMEOUT: '3' } })
    const supervisor = await box.supervisor()
    const lines = Array.from({ length: 20_000 }, (_, i) => spawnOf({ request: i, slot: `s${i}` }))
    supervisor.sendRaw(`${lines.join('\n')}\n`)
    await supervisor.got('spawn-failed', ({ error }) => error === 'too many starts wait already')
    box.pid1.signal('TERM')
    expect(await box.exit()).toEqual({ code: 0 })
  })

  test('starts that are refused without end take none of init’s memory, and do not harm the supervisors that follow', async () => {
    await using box = await startInit({ slots: { a: 'exec sleep 1000' } })
    const first = await box.supervisor()
    const { pid } = await first.spawned('a')
    const rssMb = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${box.pid1.pid}/status`, 'latin1'))?.[1]) / 1024
    let asked = 0
    const flood = async (): Promise<void> => {
      const lines = Array.from({ length: 10_000 }, () => spawnOf({ request: ++asked }))
      first.sendRaw(`${lines.join('\n')}\n`)
      const last = asked
      await first.got('spawn-failed', ({ request }) => request === last)
      first.received.length = 0
    }
    // So much the parser's garbage takes at full speed, and then no more.
    while (asked < 150_000) await flood()
    const beforeMb = rssMb()
    while (asked < size(300_000, 2_000_000)) await flood()
    // The state kept for the next supervisor had been 0.29 KB for each, 43 MB here; the parser's garbage comes and
    // goes.
    expect(rssMb() - beforeMb).toBeLessThan(30)
    await box.ok('kill', '-KILL', String(first.pid))
    const second = await box.install.life(2)
    expect(await second.hello()).toMatchObject({ replay: 0, children: [{ pid }] })
    await expect(second.spawned('a')).rejects.toThrow('a process of it lives')
    expect(box.install.lives).toHaveLength(2)
  })

  test('the data that it leaves for the next one is bounded, and kept by names of slots only', async () => {
    await using box = await startInit()
    const first = await box.supervisor()
    const text = 'x'.repeat(900_000)
    for (const name of ['../identity', '/etc/owned', '.new', '.', '..', 'A', 'a/b', ''])
      first.sendRaw(`${JSON.stringify({ type: 'keep', name, text: 'x' })}\n`)
    await box.pid1.saw('the supervisor sent what init does not take: bad keep')
    for (let i = 0; i < 72; i++) first.send({ type: 'keep', name: `s${i}`, text })
    await box.pid1.saw('the supervisor leaves more than 64000000 bytes')
    first.send({ type: 'keep', name: 's0', text: 'small' })
    first.send({ type: 'forget', slot: 's1' })
    first.send({ type: 'keep', name: '.services', text: 'its own' })
    await box.ok('sh', '-c', 'until [ -e /run/hermes/slots/.services ]; do sleep 0.02; done')
    await box.ok('kill', '-KILL', String(first.pid))
    const second = await box.install.life(2)
    await second.hello()
    const kept = second.received.filter((message) => message.type === 'kept')
    expect(kept.map(({ name }) => name).sort()).toEqual(
      ['.services', 's0', ...Array.from({ length: 69 }, (_, i) => `s${i + 2}`)].sort(),
    )
    expect(kept.find(({ name }) => name === 's0')).toMatchObject({ text: 'small' })
    // All of it before the welcome: what slots are is known before anything about their processes is.
    expect(second.received.findIndex(({ type }) => type === 'welcome')).toBe(kept.length)
  })

  test('a state that it had sent before it died is written down, also when init reads it after the death', async () => {
    await using box = await startInit()
    const first = await box.supervisor()
    first.dieOn('sent:keep')
    first.send({ type: 'keep', name: 'gateway-a', text: 'its last word' })
    await waitFor('it to die', () => first.ended)
    const second = await box.install.life(2)
    await second.hello()
    expect(second.received[0]).toEqual({ type: 'kept', name: 'gateway-a', text: 'its last word' })
  })

  test('commands before hello are not carried out', async () => {
    await using box = await startInit({ slots: { a: 'touch /tmp/never; exec sleep 1000' } })
    const supervisor = await box.install.life(1)
    supervisor.spawn('a')
    await box.pid1.saw('spawn before hello')
    expect((await supervisor.hello()).children).toEqual([])
  })
})

describe.skipIf(why !== undefined)(`hostile files (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('the attacks would be seen: a hook of root can do what they try', async () => {
    await using box = await startInit({ initHooks: { own: '#!/bin/sh\ntouch /run/owned' } })
    await waitFor('it', () => isOwned(box))
  })

  test('a run that is a link, setuid, a directory, or not there runs as the runtime user or not at all', async () => {
    await using box = await startInit()
    const supervisor = await box.supervisor()
    const evil = 'id -u; touch /run/owned; exec sleep 1000\n'
    for (const [slot, lay] of [
      [
        'linked',
        (dir: string) => {
          writeFileSync(join(dir, 'evil'), evil)
          symlinkSync(join('/run/service/linked/evil'), join(dir, 'run'))
        },
      ],
      [
        'setuid',
        (dir: string) => {
          writeFileSync(join(dir, 'run'), evil)
          chmodSync(join(dir, 'run'), 0o6777)
        },
      ],
    ] as const) {
      const dir = box.path(`/run/service/${slot}`)
      mkdirSync(dir)
      lay(dir)
      await supervisor.spawned(slot)
      expect(await box.slotLines(slot, '\n')).toMatch(/^10000\n/)
    }
    mkdirSync(box.path('/run/service/directory/run'), { recursive: true })
    for (const slot of ['directory', 'absent']) {
      await supervisor.spawned(slot)
      await supervisor.got('exit', (m) => m.slot === slot)
    }
    expect(isOwned(box)).toBe(false)
  })

  test('the run directory itself swapped for a link by the runtime user leads nowhere but to itself', async () => {
    await using box = await startInit({ prepare: 'chmod 1777 /run' })
    const supervisor = await box.supervisor()
    await box.ok(
      'setpriv',
      '--reuid',
      '10000',
      '--regid',
      '10000',
      '--clear-groups',
      '--',
      'sh',
      '-c',
      'mv /run/service /run/old; mkdir -p /tmp/evil-$$/a; echo "id -u; touch /run/owned" >/tmp/evil-$$/a/run; ln -s /tmp/evil-$$ /run/service',
    )
    await supervisor.spawned('a')
    expect(await box.slotLines('a', '\n')).toMatch(/^10000\n/)
    await waitFor('its file', () => isOwned(box)) // /run is everybody's here
    expect(statSync(box.path('/run/owned')).uid).toBe(10_000)
  })

  test('log FIFOs: nothing in their directory can be swapped; what is not the FIFO init made is not opened', async () => {
    await using box = await startInit({ slots: { a: 'exit 0' } })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    await supervisor.got('exit')
    const attempt = await box.pid1.exec([
      'setpriv',
      '--reuid',
      '10000',
      '--regid',
      '10000',
      '--clear-groups',
      '--',
      'sh',
      '-c',
      'rm -f /run/hermes/log/a; ln -s /run/owned /run/hermes/log/b; rm -f /run/hermes/identity /run/hermes/control.sock; mv /run/hermes/log /run/hermes/old; mv /run/hermes /run/old',
    ])
    expect(attempt.stderr.match(/Permission denied/g)).toHaveLength(6)
    // Even root's mistake is noticed.
    rmSync(box.path('/run/hermes/log/a'))
    symlinkSync('/run/owned', box.path('/run/hermes/log/a'))
    await expect(supervisor.spawned('a')).rejects.toThrow('ELOOP')
    rmSync(box.path('/run/hermes/log/a'))
    writeFileSync(box.path('/run/hermes/log/a'), '')
    await expect(supervisor.spawned('a')).rejects.toThrow('is not the FIFO that was made for it')
    await box.ok('sh', '-c', 'rm /run/hermes/log/a; mkfifo /run/hermes/log/a')
    // it has no reader, since it is not the one that init keeps open
    await expect(supervisor.spawned('a')).rejects.toThrow('ENXIO')
    expect(isOwned(box)).toBe(false)
  })

  test.each([
    ['a link', 'ln -s /run/owned "$home/run.lease"'],
    ['a link to nothing in a directory of root', 'ln -s /run/nowhere/owned "$home/run.lease"'],
    ['a link to a file of root', 'echo secret >$home/../secret; ln -s ../secret "$home/run.lease"'],
    ['a second name of a file of root', 'echo secret >$home/../secret; ln $home/../secret "$home/run.lease"'],
    ['a FIFO', 'mkfifo "$home/run.lease"'],
    ['a directory', 'mkdir "$home/run.lease"'],
  ])(
    'run.lease as %s is not followed, not written, not given away, and holds up the gateways only, until it is gone',
    async (_, prepare) => {
      await using box = await startInit({ prepare, args: ['sh', '-c', 'echo main; exec sleep 1000'] })
      const supervisor = await box.install.life(1)
      expect(await supervisor.helloWithLease()).toMatchObject({ lease: 'busy', begun: false })
      await box.pid1.saw(/cannot tell which container uses .*: .*run\.lease is .*\. Remove it/)
      await box.pid1.saw('main')
      expect(isOwned(box)).toBe(false)
      await box.ok('rm', '-rf', join(box.home, 'run.lease'))
      await supervisor.got('lease', ({ state }) => state === 'held')
      await supervisor.got('begin')
      const secret = join(box.dir, 'secret')
      if (existsSync(secret)) expect([statSync(secret).uid, statSync(secret).size]).toEqual([0, 7])
    },
  )

  test('code for Node in the container’s environment does not run in init, and reaches the main program', async () => {
    const evil = 'if (process.getuid() === 0) require("node:fs").writeFileSync("/run/owned", "")'
    await using box = await startInit({
      prepare: `echo '${evil}' >/run/evil.js; echo 'touch /run/owned' >/run/evil.sh`,
      args: ['/bin/sh', '-c', 'echo "$NODE_OPTIONS"; exec sleep 1000'],
      env: { NODE_OPTIONS: '--require=/run/evil.js', NODE_PATH: '/run', BASH_ENV: '/run/evil.sh', ENV: '/run/evil.sh' },
    })
    const supervisor = await box.supervisor()
    expect(Object.keys(supervisor.env).filter((name) => /^(NODE_|BASH_ENV|ENV$|HERMES_SAVED)/.test(name))).toEqual([])
    await box.pid1.saw('--require=/run/evil.js')
    expect(isOwned(box)).toBe(false)
    // It would have been seen.
    await box.ok('env', 'NODE_OPTIONS=--require=/run/evil.js', process.execPath, '-e', '0')
    expect(isOwned(box)).toBe(true)
  })

  test('a PATH of the container that begins in the volume changes nothing about what root runs', async () => {
    const home = 'PATH-of-the-volume'
    await using box = await startInit({
      prepare: `mkdir /run/${home}; for p in setpriv sh find setsid; do printf '#!/bin/sh\\ntouch /run/owned\\n' >/run/${home}/$p; chmod 755 /run/${home}/$p; done`,
      env: { PATH: `/run/${home}:${process.env.PATH}` },
      slots: { a: 'echo slot; exec sleep 1000' },
      args: ['/bin/sleep', '1000'],
    })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    await box.slotLines('a', 'slot')
    expect(isOwned(box)).toBe(false)
  })

  test('no process can become root again: no capability is left in slots, supervisor and main program', async () => {
    const look = 'grep -E "^(Uid|Cap(Inh|Prm|Eff|Amb)|Groups):" /proc/self/status; exec sleep 1000'
    await using box = await startInit({ slots: { a: look }, args: ['sh', '-c', look] })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    const slot = await box.slotLines('a', 'CapAmb')
    await box.pid1.saw('CapAmb')
    const ofSupervisor = await box.ok('cat', `/proc/${supervisor.pid}/status`)
    for (const text of [slot, box.pid1.stdout(), ofSupervisor]) {
      expect(text).toMatch(/^Uid:\t10000\t10000\t10000\t10000$/m)
      for (const set of ['Prm', 'Eff', 'Amb']) expect(text).toMatch(new RegExp(`^Cap${set}:\t0+$`, 'm'))
    }
  })

  test('USR1 to init opens no inspector', async () => {
    await using box = await startInit()
    await box.supervisor()
    box.pid1.signal('USR1')
    box.pid1.signal('HUP')
    await (await box.install.life(1)).got('reconcile')
    expect(box.pid1.stderr()).not.toContain('Debugger')
  })
})
