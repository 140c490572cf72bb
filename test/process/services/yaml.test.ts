// /etc/hermes/services.yaml, as root and PID 1 of a namespace, with the real programs.
import { describe, expect, test } from 'vitest'
import { freePort } from '../../support/port.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type ServiceBox, startServices } from '../../support/supervisor/service-box.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

type Service = Readonly<Record<string, unknown>>
const sh = (text: string): Service => ({ command: ['/bin/sh', '-c', text] })
/** JSON is YAML. */
const yaml = (
  services: Readonly<Record<string, Service>>,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceBox> => startServices({ etc: { 'hermes/services.yaml': JSON.stringify({ services }) }, env })
const listens = (server: string, port: number): string =>
  `exec node -e 'setTimeout(() => ${server}.listen(${port}), 300)'`

describe.skipIf(why !== undefined)(`services.yaml (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('a service runs as its user, in its directory, with the container’s environment and its own, and may open its stdout', async () => {
    await using box = await yaml(
      {
        mine: {
          ...sh(
            'echo "$(id -u):$(id -g) $PWD $HOME $USER $COLOUR $MINE [$HERMES_DASHBOARD_BASIC_AUTH_PASSWORD]" >/dev/stdout; exec sleep 1000',
          ),
          user: 'daemon',
          directory: '/usr',
          environment: { MINE: "it's" },
        },
        group: { ...sh('echo "$(id -G) [$LD_LIBRARY_PATH]"; exec sleep 1000'), user: 'root:daemon' },
        nowhere: { ...sh('true'), directory: '/no/such' },
        roots: sh('echo "$(id -u) $LD_LIBRARY_PATH $COLOUR $PATH"; exec sleep 1000'),
      },
      {
        COLOUR: 'blue',
        HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'x',
        LD_LIBRARY_PATH: '/tmp/theirs',
        PATH: `/tmp:${process.env.PATH}`,
      },
    )
    await box.up('mine')
    await waitFor('its line', () => box.log('mine') !== '' && box.log('roots') !== '')
    expect(box.log('mine')).toBe(`1:1 /usr /usr/sbin daemon blue it's []\n`)
    await waitFor('its line', () => box.log('group') !== '')
    expect(box.log('group')).toBe('1 []\n')
    await box.pid1.saw('service-nowhere cannot be started: there is no directory /no/such to start it in; make it')
    // For root nothing that others could have put there: no library, no directory on PATH.
    expect(box.log('roots')).toMatch(/^0 {2}blue (?!.*\/tmp)/)
  })

  test('ready by a line, a port, an address and a command: what depends on it waits', async () => {
    const after = (name: string): Service => ({ ...sh(`echo after; exec sleep 1000`), depends_on: [name] })
    // The network is the machine's.
    const [port, ofHttp] = [await freePort(), await freePort()]
    await using box = await yaml({
      line: { ...sh('sleep 0.3; echo now ready; exec sleep 1000'), ready: { log: '^now ready$' } },
      port: { ...sh(listens('require("net").createServer()', port)), ready: { tcp: port } },
      address: {
        ...sh(listens('require("http").createServer((q, r) => r.end())', ofHttp)),
        ready: { http: `http://127.0.0.1:${ofHttp}/` },
      },
      command: {
        ...sh('sleep 0.3; touch /run/ready; exec sleep 1000'),
        ready: { command: ['test', '-e', '/run/ready'] },
      },
      'after-line': after('line'),
      'after-port': after('port'),
      'after-address': after('address'),
      'after-command': after('command'),
    })
    for (const name of ['line', 'port', 'address', 'command']) {
      await box.up(name)
      await box.up(`after-${name}`)
    }
    expect(box.read('/run/hermes/services.json')).toContain('"problems":[]')
  })

  test('a service that does not answer any more is restarted', async () => {
    await using box = await yaml({
      web: {
        ...sh('touch /run/alive; exec sleep 1000'),
        liveness: { command: ['test', '-e', '/run/alive'], every: '50ms', failures: 2 },
      },
    })
    const { pid } = await box.up('web')
    // It is up before its shell has made the file.
    await waitFor('the file, to remove it', async () => (await box.pid1.exec(['rm', '/run/alive'])).code === 0)
    await box.service('web', (slot) => slot.state === 'up' && slot.pid !== pid)
    expect(box.pid1.stderr()).toContain(
      'service-web does not answer, 2 times in a row: test ends with 1; it is restarted',
    )
  })

  test('a service that is stopped by a signal is restarted if it is to be', async () => {
    await using box = await yaml({ web: { ...sh('exec sleep 1000'), on_stuck: 'restart' } })
    const { pid } = await box.up('web')
    await box.pid1.exec(['kill', '-STOP', `${pid}`])
    await box.service('web', (slot) => slot.state === 'up' && slot.pid !== pid, { deadlineMs: 60_000 })
    await waitFor('the reason in the log', () =>
      box.pid1.stderr().includes('service-web seems stuck: it is stopped by a signal; it is restarted\n'),
    )
  })

  test('a service that never answers is restarted ever later, given up, shown as a crash loop; essential is obeyed', async () => {
    const deaf = {
      ...sh('echo begins; exec sleep 1000'),
      // Else it could be ended before it has written its line.
      ready: { log: 'begins' },
      liveness: { command: ['false'], every: '50ms', failures: 1 },
    }
    const soon = { first: '20ms', max: '20ms' }
    await using box = await yaml({
      deaf: { ...deaf, restart_delay: { first: '10m', max: '1h' } },
      parked: { ...deaf, restart_delay: soon, give_up_after: { deaths: 3, within: '1m' } },
      loops: { ...deaf, restart_delay: soon },
    })
    // The first death of what had been up is answered at once, the second after twice the delay.
    expect(await box.service('deaf', ({ state }) => state === 'backoff')).toMatchObject({
      reason: expect.stringContaining('does not answer: false ends with 1; it was killed by SIGTERM'),
    })
    await box.service('parked', ({ state }) => state === 'parked')
    await waitFor('the warning', async () =>
      (await box.status()).warnings.some((text) => text.includes('service-loops is in a crash loop')),
    )
    expect(box.log('deaf')).toBe('begins\nbegins\n')
    await using heart = await yaml({ heart: { ...deaf, essential: true, restart: 'never' } })
    expect(await heart.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 143 })
  })

  test('a service whose children hold more memory than it may is restarted', async () => {
    await using box = await yaml({
      fat: {
        ...sh(`node -e 'const held = Buffer.alloc(300e6, 1); setInterval(() => held, 1000)' & wait`),
        memory_limit: '200M',
      },
      lean: { ...sh('exec sleep 1000'), memory_limit: '200M' },
    })
    const lean = await box.up('lean')
    await box.service('fat', (slot) => slot.restarts > 0, { deadlineMs: 60_000 })
    expect(box.pid1.stderr()).toMatch(/service-fat holds \d+ MiB of memory; memory_limit is 200 MiB; it is restarted/)
    expect((await box.up('lean')).pid).toBe(lean.pid)
  })

  test('a service has the priority and the limits of its settings, as root and as another user', async () => {
    const limited = {
      ...sh('nice; grep "open files" /proc/self/limits; exec sleep 1000'),
      nice: 4,
      rlimits: { nofile: 99 },
    }
    await using box = await yaml({ root: limited, daemon: { ...limited, user: 'daemon' } })
    for (const name of ['root', 'daemon']) {
      await box.up(name)
      await waitFor('its lines', () => box.log(name).includes('files'))
      expect(box.log(name)).toMatch(/^4\nMax open files +99 +99 +files/)
    }
  })

  test('services come from a directory, too, with variables of the container, files of variables, and in instances', async () => {
    await using box = await startServices({
      etc: {
        'hermes/services.d/10-web.yaml': `services:
  web:
    command: [/bin/sh, -c, 'echo "$COLOUR $SIZE $HERMES_REPLICA \${COLOUR} \${SHAPE:-round}"; exec sleep 1000']
    env_file: /etc/web.env
    replicas: 2
    user: daemon
`,
        'hermes/services.d/20-more.yaml': 'services: {more: {command: [sleep, "1000"], depends_on: [web]}}',
        'hermes/services.d/ignored.txt': 'services: {ignored: {command: [sleep, "1000"]}}',
        'web.env': 'SIZE=large\n',
      },
      env: { COLOUR: 'blue' },
    })
    await box.up('more')
    await waitFor('their lines', () => box.log('web-1') !== '' && box.log('web-2') !== '')
    expect([box.log('web-1'), box.log('web-2')]).toEqual(['blue large 1 blue round\n', 'blue large 2 blue round\n'])
    expect((await box.status()).slots.map((one) => one.slot)).not.toContain('service-ignored')
  })

  test('a directory of services, or a file of variables, that others can change is refused; the others start', async () => {
    await using box = await startServices({
      etc: {
        'hermes/services.yaml': `services:
  fine: {command: [sleep, "1000"]}
  open: {command: [sleep, "1000"], env_file: /etc/open.env}
`,
        'hermes/services.d/a.yaml': 'services: {evil: {command: [sleep, "1000"]}}',
        'open.env': 'A=1\n',
      },
      prepare: 'chmod 666 /etc/open.env; chmod 777 /etc/hermes/services.d',
    })
    await box.up('fine')
    const { warnings, slots } = await box.status()
    expect(warnings.join('\n')).toMatch(/no service of \/etc\/hermes\/services\.d is run: .*write/)
    expect(warnings.join('\n')).toMatch(/service open is left out: .*line 3, env_file: \/etc\/open\.env: .*write/)
    expect(slots.map((one) => one.slot).filter((slot) => slot.startsWith('service-'))).toEqual(['service-fine'])
  })

  test('a gateway starts the service that it depends on, and waits until it is ready', async () => {
    const config = JSON.stringify({
      gateway: { command: ['sleep', '1000'], depends_on: { cache: 'ready', many: 'started' } },
    })
    await using box = await startServices({
      etc: {
        'hermes/services.yaml': JSON.stringify({
          services: {
            cache: {
              ...sh('while [ ! -e /run/go ]; do sleep 0.05; done; echo at work; exec sleep 1000'),
              start: false,
              ready: { log: 'at work' },
            },
            many: { ...sh('exec sleep 1000'), start: false, replicas: 2 },
          },
        }),
      },
      prepare: `mkdir -p $home/profiles/web; echo '${config}' >$home/profiles/web/config.yaml; echo running >$home/profiles/web/desired_state; chown -R 10000:10000 $home`,
    })
    await box.service('cache', ({ state }) => state === 'starting')
    for (const name of ['many-1', 'many-2']) await box.up(name)
    const web = async () => (await box.status()).slots.find((one) => one.slot === 'gateway-web')
    expect(await web()).toMatchObject({ state: 'down', wanted: 'up', reason: 'waits for cache' })
    await box.pid1.exec(['touch', '/run/go'])
    await waitFor('the gateway to be up', async () => (await web())?.state === 'up')
  })

  test('a scheduled service runs at its times, never twice at once, and says when next', async () => {
    await using box = await yaml({
      tick: { ...sh('echo tick'), schedule: '* * * * * *' },
      slow: { ...sh('echo slow; sleep 2.5'), schedule: '* * * * * *' },
    })
    const waiting = await box.service('tick', ({ nextStartAt }) => nextStartAt !== undefined)
    expect(waiting).toMatchObject({ wanted: 'up' })
    await waitFor('three runs', () => box.log('tick').split('\n').length > 3)
    await box.pid1.saw('service-slow: its last run has not ended; this one is skipped')
    expect(await box.hermes('service', 'stop', 'tick')).toMatchObject({ code: 0 })
    expect((await box.service('tick', ({ state }) => state === 'down')).nextStartAt).toBeUndefined()
    expect(await box.hermes('service', 'start', 'tick')).toMatchObject({ code: 0 })
    await box.service('tick', ({ nextStartAt }) => nextStartAt !== undefined)
  })

  test('an essential service takes the container with it, with its code', async () => {
    await using box = await yaml({ heart: { ...sh('sleep 0.2; exit 9'), essential: true, restart: 'never' } })
    expect(await box.pid1.exit({ deadlineMs: 20_000 })).toEqual({ code: 9 })
    expect(box.pid1.stderr()).toContain('the essential slot service-heart has ended')
  })

  test('a supervisor that is killed finds everything as it was: what is up, what is done, what waits, what is stopped', async () => {
    await using box = await yaml({
      db: { ...sh('while [ ! -e /run/go ]; do sleep 0.05; done; echo go; exec sleep 1000'), ready: { log: 'go' } },
      worker: { ...sh('exec sleep 1000'), depends_on: ['db'] },
      web: sh('exec sleep 1000'),
      once: { ...sh('echo once'), oneshot: true },
      off: sh('exec sleep 1000'),
    })
    const { pid } = await box.up('web')
    await box.service('once', ({ state }) => state === 'done')
    await box.up('off')
    await box.hermes('service', 'stop', 'off')
    const supervisor = (): number | undefined =>
      box.pid1.processes().find(({ inside, name }) => inside !== 1 && /^node|MainThread/.test(name))?.outside
    const first = supervisor() ?? 0
    process.kill(first, 'SIGKILL')
    await waitFor('another supervisor', () => ![undefined, first].includes(supervisor()))
    expect((await box.service('web', ({ state }) => state === 'up')).pid).toBe(pid)
    expect(await box.service('worker', ({ reason }) => reason !== undefined)).toMatchObject({ reason: 'waits for db' })
    await box.pid1.exec(['touch', '/run/go'])
    await box.up('worker')
    expect(await box.service('once', () => true)).toMatchObject({ state: 'done' })
    expect(await box.service('off', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
    expect(box.log('once')).toBe('once\n')
  })
})
