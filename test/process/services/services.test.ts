// Services of an image, as root and PID 1 of a namespace, with the real programs.
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type Etc, startServices } from '../../support/supervisor/service-box.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

/** A program that notes its start and its stop signal; `tail` is what it does in between. */
const noting = (name: string, before = ''): string =>
  `#!/bin/sh\n${before}trap 'echo "${name} stops" >>/run/order; exit 0' TERM\necho "${name} starts" >>/run/order\nwhile :; do sleep 0.05; done\n`
const longrun = (name: string, needs: readonly string[] = [], more: Etc = {}): Etc => ({
  [`s6-overlay/s6-rc.d/${name}/type`]: 'longrun\n',
  [`s6-overlay/s6-rc.d/${name}/run`]: noting(name),
  ...Object.fromEntries(needs.map((need) => [`s6-overlay/s6-rc.d/${name}/dependencies.d/${need}`, ''])),
  ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`s6-overlay/s6-rc.d/${name}/${file}`, text])),
})
const userBundle = (...names: readonly string[]): Etc => ({
  's6-overlay/s6-rc.d/user/type': 'bundle\n',
  ...Object.fromEntries(names.map((name) => [`s6-overlay/s6-rc.d/user/contents.d/${name}`, ''])),
})
const whyNoS6 = whyMissing('s6-svc')
const orderOf = (text: string): string[] => text.split('\n').slice(0, -1)

describe.skipIf(why !== undefined)(`services of the image (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('a directory in services.d runs as root, in place, by its own interpreter line, and its lines are kept', async () => {
    await using box = await startServices({
      etc: {
        'services.d/web/run':
          '#!/bin/sh -e\necho "I am $(id -u) in $PWD with $*"; env; echo on two >&2; exec sleep 1000\n',
      },
      env: { SECRET: 'x' },
    })
    const { pid, log } = await box.up('web')
    expect(pid).toBeGreaterThan(1)
    expect(log).toBe(`${box.home}/logs/services/web/current`)
    const lines = await waitFor('its lines', () => box.read(log).includes('on two') && box.read(log))
    expect(lines).toContain('I am 0 in /run/hermes/services/cwd/etc/services.d/web with web')
    // s6's rule: without with-contenv a service sees PATH alone.
    expect(lines).not.toContain('SECRET')
    await box.pid1.saw('I am 0')
  })

  test('s6-rc: a chain starts in the order of its dependencies and stops in the other one, oneshots included', async () => {
    const oneshot = 's6-overlay/s6-rc.d/prepare'
    await using box = await startServices({
      etc: {
        ...userBundle('worker'),
        ...longrun('worker', ['web', 'base']),
        ...longrun('web', ['prepare']),
        ...longrun('unneeded'),
        [`${oneshot}/type`]: 'oneshot\n',
        [`${oneshot}/up`]: '/etc/s6-overlay/scripts/prepare up\n',
        [`${oneshot}/down`]: '# undone last\n/etc/s6-overlay/scripts/prepare down\n',
        's6-overlay/scripts/prepare': '#!/bin/sh\nsleep 0.2; echo "prepare $1" >>/run/order; echo "said $1"\n',
      },
    })
    await box.up('worker')
    expect(await box.service('prepare', () => true)).toMatchObject({ state: 'done', wanted: 'up', ready: true })
    expect(await box.service('unneeded', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
    await waitFor('all to have started', () => orderOf(box.read('/run/order')).length === 3)
    const order = box.path('/run/order')
    box.keep(order)
    expect(await box.stop()).toEqual({ code: 0 })
    expect(orderOf(box.kept())).toEqual([
      'prepare up',
      'web starts',
      'worker starts',
      'worker stops',
      'web stops',
      'prepare down',
    ])
    // Its output while the container stops is in its log as well.
    expect(box.log('prepare')).toMatch(/said up\n.*said down\n/s)
  })

  test('an operator’s stop takes along what depends on it, and a start brings what it needs', async () => {
    await using box = await startServices({
      etc: { ...userBundle('worker'), ...longrun('worker', ['web']), ...longrun('web') },
    })
    const notes = (count: number) => waitFor('notes', () => orderOf(box.read('/run/order')).length === count)
    await box.up('worker')
    // A service counts as up when its process is there; its traps are set when it has made its note.
    await notes(2)
    expect(await box.hermes('service', 'stop', 'web')).toMatchObject({ code: 0 })
    expect(await box.service('worker', () => true)).toMatchObject({ state: 'down' })
    expect(await box.hermes('service', 'start', 'worker')).toMatchObject({ code: 0 })
    await box.up('web')
    await notes(6)
    expect(orderOf(box.read('/run/order'))).toEqual([
      'web starts',
      'worker starts',
      'worker stops',
      'web stops',
      'web starts',
      'worker starts',
    ])
    expect(await box.hermes('service', 'status', 'worker')).toMatchObject({ code: 0 })
    expect(await box.hermes('service', 'start', 'wrker')).toMatchObject({ code: 3 })
    expect((await box.hermes('service', 'list')).stdout).toMatch(/service-web +up/)
    expect((await box.hermes('service', 'logs', 'web')).code).toBe(0)
  })

  test('a service waits for the readiness that another one announces, and its status shows it', async () => {
    await using box = await startServices({
      etc: {
        ...userBundle('worker'),
        ...longrun('worker', ['db']),
        ...longrun('db', [], {
          'notification-fd': '3\n',
          run: '#!/bin/sh\necho "db starts" >>/run/order\nwhile [ ! -e /run/go ]; do sleep 0.05; done\necho "db is ready" >>/run/order\necho >&3\nexec 3>&-\nexec sleep 1000\n',
        }),
      },
    })
    await box.service('db', ({ state }) => state === 'starting')
    expect(await box.service('worker', ({ reason }) => reason !== undefined)).toMatchObject({
      state: 'down',
      wanted: 'up',
      reason: 'waits for db',
    })
    expect(await box.hermes('service', 'start', 'worker', '--timeout', '200ms')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('service-worker is not up after 0.2 s: it waits for db'),
    })
    await box.pid1.exec(['touch', '/run/go'])
    await box.up('worker')
    await waitFor('its note', () => orderOf(box.read('/run/order')).length === 3)
    expect(orderOf(box.read('/run/order'))).toEqual(['db starts', 'db is ready', 'worker starts'])
  })

  test('the main program waits for oneshots; one that fails ends the container with its code, and is named', async () => {
    const etc = (code: number): Etc => ({
      ...userBundle('migrate'),
      's6-overlay/s6-rc.d/migrate/type': 'oneshot\n',
      's6-overlay/s6-rc.d/migrate/up': '/etc/s6-overlay/scripts/migrate\n',
      's6-overlay/scripts/migrate': `#!/bin/sh\nsleep 0.5; echo migrated; exit ${code}\n`,
    })
    const args = ['sh', '-c', 'echo main']
    await using good = await startServices({ etc: etc(0), args })
    expect(await good.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 0 })
    expect(good.pid1.stdout().trim().split('\n')).toEqual(['migrated', 'main'])
    await using bad = await startServices({ etc: etc(7), args })
    expect(await bad.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 7 })
    expect(bad.pid1.stdout()).not.toContain('main')
    expect(bad.pid1.stderr()).toContain('service migrate has not come up: exited with code 7')
    await using still = await startServices({ etc: etc(7), args, env: { S6_BEHAVIOUR_IF_STAGE2_FAILS: '1' } })
    expect(await still.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 0 })
    expect(still.pid1.stdout()).toContain('main')
  })

  test('a service that is awaited only because an awaited one needs it: when it fails permanently the boot ends, or goes on without both', async () => {
    const etc = {
      ...userBundle('app'),
      ...longrun('app', ['db']),
      ...longrun('db', [], { run: '#!/bin/sh\nexit 125\n', 'notification-fd': '3\n' }),
    }
    const args = ['sh', '-c', 'echo main']
    await using box = await startServices({ etc, args })
    expect(await box.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 125 })
    expect(box.pid1.stderr()).toContain('service db has not come up: exited with code 125')
    expect(box.pid1.stdout()).not.toContain('main')
    await using still = await startServices({ etc, args, env: { S6_BEHAVIOUR_IF_STAGE2_FAILS: '1' } })
    expect(await still.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 0 })
    expect(still.pid1.stdout()).toContain('main')
  })

  const oneshot = (up: string, down: string): Etc => ({
    ...userBundle('prepare'),
    's6-overlay/s6-rc.d/prepare/type': 'oneshot\n',
    's6-overlay/s6-rc.d/prepare/up': '/etc/s6-overlay/scripts/up\n',
    's6-overlay/s6-rc.d/prepare/down': '/etc/s6-overlay/scripts/down\n',
    's6-overlay/scripts/up': `#!/bin/sh\n${up}\n`,
    's6-overlay/scripts/down': `#!/bin/sh\n${down}\n`,
  })

  test('a oneshot that cannot be undone is named, by a stop of its own and by the container’s', async () => {
    await using box = await startServices({ etc: oneshot('true', 'echo tried; exit 3') })
    await box.service('prepare', ({ state }) => state === 'done')
    await box.hermes('service', 'stop', 'prepare')
    const line = 'service prepare is not undone: the program for that exited with code 3'
    await box.pid1.saw(line)
    await box.hermes('service', 'start', 'prepare')
    await box.service('prepare', ({ state }) => state === 'done')
    expect(await box.stop()).toEqual({ code: 0 })
    expect(box.pid1.stderr().split(line)).toHaveLength(3)
  })

  test('S6_CMD_WAIT_FOR_SERVICES makes the main program wait for services.d too, for as long as it may', async () => {
    const etc = {
      'services.d/slow/notification-fd': '3\n',
      'services.d/slow/run':
        '#!/bin/sh\nwhile [ ! -e /run/go ]; do sleep 0.05; done\necho ready\necho >&3\nexec sleep 1000\n',
    }
    const args = ['sh', '-c', 'echo main; exec sleep 1000']
    await using hasty = await startServices({ etc, args })
    await hasty.pid1.saw('main')
    await using patient = await startServices({ etc, args, env: { S6_CMD_WAIT_FOR_SERVICES: '1' } })
    await patient.service('slow', ({ state }) => state === 'starting')
    await patient.pid1.exec(['touch', '/run/go'])
    await patient.pid1.saw('main')
    expect(patient.pid1.stdout()).toBe('ready\nmain\n')
    await using bounded = await startServices({
      etc,
      args,
      env: {
        S6_CMD_WAIT_FOR_SERVICES: '1',
        S6_CMD_WAIT_FOR_SERVICES_MAXTIME: '300',
        S6_BEHAVIOUR_IF_STAGE2_FAILS: '1',
      },
    })
    await bounded.pid1.saw('main')
    expect(bounded.pid1.stderr()).toContain('not done after 300 ms (S6_CMD_WAIT_FOR_SERVICES_MAXTIME); the main')
  })

  test.each([
    [
      'a service',
      { 'services.d/slow/notification-fd': '3\n', 'services.d/slow/run': '#!/bin/sh\nexec sleep 1000\n' },
      '2',
    ],
    ['a hook, and nothing is said', { 'cont-init.d/10-slow': '#!/bin/sh\nexec sleep 1000\n' }, ''],
  ])('S6_CMD_WAIT_FOR_SERVICES_MAXTIME ends the container over %s', async (_, etc, behaviour) => {
    await using box = await startServices({
      etc,
      args: ['sh', '-c', 'echo main'],
      env: {
        S6_CMD_WAIT_FOR_SERVICES: '1',
        S6_CMD_WAIT_FOR_SERVICES_MAXTIME: '300',
        S6_BEHAVIOUR_IF_STAGE2_FAILS: behaviour,
      },
    })
    expect(await box.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 2 })
    expect(box.pid1.stderr()).toContain('not done after 300 ms (S6_CMD_WAIT_FOR_SERVICES_MAXTIME)')
    expect(box.pid1.stdout()).not.toContain('main')
  })

  test('a readiness that does not come within timeout-up ends the boot, and a service that is essential to the image stays', async () => {
    await using late = await startServices({
      etc: {
        ...userBundle('db'),
        ...longrun('db', [], { 'notification-fd': '3\n', 'timeout-up': '200\n' }),
      },
    })
    expect(await late.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 1 })
    expect(late.pid1.stderr()).toContain('service db has not come up: it was not ready in time')
    await using kept = await startServices({
      etc: { ...userBundle('web'), ...longrun('web', ['db']), ...longrun('db', [], { 'flag-essential': '' }) },
    })
    await kept.up('web')
    expect(await kept.hermes('service', 'stop', 'db')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('db is essential to this image'),
    })
    expect(await kept.hermes('service', 'stop', 'web')).toMatchObject({ code: 0 })
    await kept.up('db')
  })

  test('s6-rc: run and finish need no run bit, whatever their interpreter line says', async () => {
    const text = (line: string, note: string) => `#!${line}\necho "${note} $1 in $PWD" >>/run/order\n`
    const plain = (name: string, line: string): Etc =>
      longrun(name, [], {
        run: `${text(line, name)}exec sleep 1000\n`,
        finish: text(line, `${name} finishes`),
      })
    await using box = await startServices({
      etc: {
        ...userBundle('one', 'two', 'three'),
        ...plain('one', '/bin/sh'),
        ...plain('two', ' /usr/bin/env\tsh '),
        ...plain('three', '/bin/sh -e'),
      },
      prepare: 'chmod 644 /etc/s6-overlay/s6-rc.d/*/run /etc/s6-overlay/s6-rc.d/*/finish',
    })
    for (const name of ['one', 'two', 'three']) await box.up(name)
    await waitFor('their notes', () => orderOf(box.read('/run/order')).length === 3)
    box.keep(box.path('/run/order'))
    expect(await box.stop()).toEqual({ code: 0 })
    const lines = ['one', 'two', 'three'].flatMap((name) => [
      `${name} ${name} in /run/hermes/services/cwd/etc/s6-overlay/s6-rc.d/${name}`,
      `${name} finishes 256 in /run/hermes/services/cwd/etc/s6-overlay/s6-rc.d/${name}`,
    ])
    expect(orderOf(box.kept()).sort()).toEqual(lines.sort())
  })

  test('finish gets s6’s arguments, and its 125 parks the service', async () => {
    await using box = await startServices({
      etc: {
        'services.d/once/run': '#!/bin/sh\nexit 7\n',
        'services.d/once/finish': '#!/bin/sh\necho "finish $1 $2 $3 pgid=$4"; exit 125\n',
      },
    })
    expect(await box.service('once', ({ state }) => state === 'parked')).toMatchObject({
      reason: expect.stringContaining('125'),
    })
    expect(box.log('once')).toMatch(/finish 7 0 once pgid=\d+\n/)
    expect(await box.hermes('service', 'status', 'once')).toMatchObject({ code: 1 })
  })

  test('finish runs at the container’s stop, too', async () => {
    await using box = await startServices({
      etc: {
        'services.d/web/run': '#!/bin/sh\nexec sleep 1000\n',
        'services.d/web/finish': '#!/bin/sh\necho "finish $1 $2 $3"\n',
      },
    })
    await box.up('web')
    expect(await box.stop()).toEqual({ code: 0 })
    expect(box.log('web')).toMatch(/finish 256 15 web\n/)
  })

  test('a finish program that hangs is ended at its own time, whenever it runs, and named as one', async () => {
    const hangs = '#!/bin/sh\necho "finish begins" >>/run/order\nexec sleep 1000\n'
    const oneshot = (name: string): Etc => ({
      [`s6-overlay/s6-rc.d/${name}/type`]: 'oneshot\n',
      [`s6-overlay/s6-rc.d/${name}/up`]: '/bin/true\n',
      [`s6-overlay/s6-rc.d/${name}/down`]: '/bin/sleep 1000\n',
      [`s6-overlay/s6-rc.d/${name}/timeout-down`]: '400\n',
    })
    await using box = await startServices({
      etc: {
        ...userBundle('mounted', 'shared'),
        ...oneshot('mounted'),
        ...oneshot('shared'),
        'services.d/tidy/run': '#!/bin/sh\nexec sleep 1000\n',
        'services.d/tidy/finish': hangs,
        'services.d/tidy/timeout-finish': '400\n',
      },
      env: { HERMES_STOP_TIMEOUT: '60' },
    })
    const { pid } = await box.up('tidy')
    await box.pid1.exec(['kill', '-KILL', String(pid)])
    await box.pid1.saw('its finish program has not ended within 0.4 s; it is killed')
    await box.service('shared', ({ state }) => state === 'done')
    await box.hermes('service', 'stop', 'shared')
    await box.pid1.saw('the program that undoes it has not ended within 0.4 s; it is killed')
    await box.up('tidy')
    const stopped = performance.now()
    expect(await box.stop()).toEqual({ code: 0 })
    expect(performance.now() - stopped).toBeLessThan(stretchedMs(15_000))
    for (const name of ['tidy', 'mounted'])
      expect(box.pid1.stderr()).toMatch(
        new RegExp(`the finish program of service-${name} \\(pid \\d+\\) has not ended within 400 ms; it is killed`),
      )
    expect(box.pid1.stderr()).not.toMatch(/death_tally|did not obey/)
  })

  test.skipIf(whyNoS6 !== undefined)(
    named('s6’s own tools work on . in run, finish and log/run, and files beside them are found', whyNoS6),
    async () => {
      await using box = await startServices({
        etc: {
          'services.d/web/run':
            '#!/bin/sh\ncat data/word env/COLOUR >>/run/order; s6-svwait -u -t 60000 . && s6-svok . && s6-svstat -o up,wantedup . >>/run/order\nexec sleep 1000\n',
          'services.d/web/data/word': 'word\n',
          'services.d/web/env/COLOUR': 'green\n',
          'services.d/web/finish':
            '#!/bin/sh\ns6-svdt . | wc -l >>/run/order; s6-svc -O .; s6-svstat -o wantedup . >>/run/order\n',
          // Not the usual 5 s, which can pass on a busy machine.
          'services.d/web/timeout-finish': '60000\n',
          'services.d/web/log/run': '#!/bin/sh\ns6-svok . && echo "log $(cat ../data/word)" >>/run/order; exec cat\n',
          'services.d/own/run': '#!/bin/sh\ns6-svc -Q . && exit 3\n',
        },
      })
      await box.up('web')
      await waitFor('both', () => orderOf(box.read('/run/order')).length >= 4)
      expect(orderOf(box.read('/run/order')).sort()).toEqual(['green', 'log word', 'true true', 'word'])
      const { pid } = await box.up('web')
      await box.pid1.exec(['kill', '-KILL', String(pid)])
      await box.service('web', ({ state }) => state === 'down')
      expect(orderOf(box.read('/run/order')).slice(-2)[0]).toBe('1')
      // Q: not again, also not at the next boot.
      await box.service('own', ({ state, wanted }) => state === 'down' && wanted === 'down')
      expect((await box.pid1.exec(['test', '-e', '/run/service/own/down'])).code).toBe(0)
    },
  )

  test.skipIf(whyNoS6 !== undefined)(
    named('what finish writes with s6-svc before it ends counts, although the supervisor sees both at once', whyNoS6),
    async () => {
      await using box = await startServices({
        etc: {
          'services.d/web/run': '#!/bin/sh\nexec sleep 1000\n',
          'services.d/web/finish':
            '#!/bin/sh\nmkfifo /run/go; echo $$ >/run/finish; read -r go </run/go; s6-svc -O .\n',
          'services.d/web/timeout-finish': '60000\n',
        },
      })
      const { pid } = await box.up('web')
      const supervisor = box.pid1.processes().find(({ inside, name }) => inside !== 1 && /^node|MainThread/.test(name))
      if (supervisor === undefined) return expect.fail('there is no supervisor')
      await box.pid1.exec(['kill', '-KILL', String(pid)])
      const finish = await waitFor('finish', () => box.pid1.outsidePid(Number(box.read('/run/finish'))))
      process.kill(supervisor.outside, 'SIGSTOP')
      await box.pid1.exec(['sh', '-c', 'echo go >/run/go'])
      await waitFor('finish to end', () => !existsSync(`/proc/${finish}`))
      process.kill(supervisor.outside, 'SIGCONT')
      const slot = await box.service('web', ({ state }) => state !== 'stopping')
      expect(slot).toMatchObject({ state: 'down', wanted: 'down', restarts: 0 })
    },
  )

  test.skipIf(whyNoS6 !== undefined)(
    named('s6’s own tools wait as root, whose FIFO the supervisor may not write', whyNoS6),
    async () => {
      await using box = await startServices({ etc: { 'services.d/web/run': '#!/bin/sh\nexec sleep 1000\n' } })
      await box.up('web')
      const web = '/run/service/web'
      const root = (...args: string[]) => box.pid1.exec(args, { env: { PATH: '/usr/bin:/bin' } })
      for (const args of ['-wd -d', '-wu -u', '-wD -d', '-wU -u', '-wr -r'])
        expect(await root('s6-svc', '-T', '60000', ...args.split(' '), web), args).toMatchObject({ code: 0 })
      const waits = root('s6-svwait', '-d', '-t', '60000', web)
      await waitFor('it to listen', async () => (await root('ls', `${web}/event`)).stdout.includes('ftrig1:'))
      await box.hermes('service', 'stop', 'web')
      expect(await waits).toMatchObject({ code: 0 })
    },
  )

  test('a logger gets every line of its service, also those written while either was away, and sees the end', async () => {
    const lines =
      '#!/bin/sh\nexec 2>&1\ni=0; trap "echo last; exit 0" TERM\nwhile :; do i=$((i+1)); echo "line $i"; sleep 0.01; done\n'
    await using box = await startServices({
      etc: {
        'services.d/web/run': lines,
        'services.d/web/log/run':
          '#!/bin/sh\nwhile read -r line; do echo "$line" >>/run/logged; done\necho end >>/run/logged\n',
      },
    })
    const logger = await box.up('web-log')
    await waitFor('lines', () => box.read('/run/logged').includes('line 5'))
    await box.pid1.exec(['sh', '-c', `kill -KILL ${logger.pid}`])
    await box.service('web-log', ({ state, pid }) => state === 'up' && pid !== logger.pid)
    const written = orderOf(box.read('/run/logged')).length
    await waitFor('more lines', () => orderOf(box.read('/run/logged')).length > written + 5)
    box.keep(box.path('/run/logged'))
    expect(await box.stop()).toEqual({ code: 0 })
    const logged = orderOf(box.kept())
    // A killed logger may have taken a line with it that it had read; the pipe loses none.
    const numbers = logged.filter((line) => line.startsWith('line ')).map((line) => Number(line.slice(5)))
    const missing = Array.from({ length: numbers.at(-1) ?? 0 }, (_, i) => i + 1).filter((n) => !numbers.includes(n))
    expect(missing.length).toBeLessThanOrEqual(1)
    expect(logged.slice(-2)).toEqual(['last', 'end'])
    expect(box.log('web')).toBe('')
  })

  test('s6-rc: producer-for and consumer-for make a pipeline of three', async () => {
    const stage = (name: string, text: string, more: Etc): Etc =>
      longrun(name, [], { run: `#!/bin/sh\n${text}\n`, ...more })
    await using box = await startServices({
      etc: {
        ...userBundle('web'),
        ...stage('web', 'echo hello; exec sleep 1000', { 'producer-for': 'filter\n' }),
        ...stage('filter', 'while read -r l; do echo "<$l>"; done', {
          'consumer-for': 'web\n',
          'producer-for': 'keep\n',
        }),
        ...stage('keep', 'while read -r l; do echo "kept $l"; done', { 'consumer-for': 'filter\n' }),
      },
    })
    await waitFor('the line', () => box.log('keep').includes('kept <hello>'))
    expect(box.log('web')).toBe('')
  })
})
