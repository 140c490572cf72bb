// `hermes service reload`, as root and PID 1 of a namespace, with the real programs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type ServiceBox, startServices } from '../../support/supervisor/service-box.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')
const LONG = { deadlineMs: 60_000 }

type Service = Readonly<Record<string, unknown>>
type Services = Readonly<Record<string, Service>>
const sh = (text: string): Service => ({ command: ['/bin/sh', '-c', text], user: 'daemon' })
/** /run is the namespace's own, and only root may write there. */
const asRoot = (script: string): Service => ({ command: ['/bin/sh', '-c', script] })
const sleeps = sh('exec sleep 100000')
/** Up when its trap is set, and not as soon as its process is there. */
const GOES_ON = 'echo trap is set; while :; do sleep 0.1; done'
const TRAPS = { ready: { log: '^trap is set$' } }
/** JSON is YAML. */
const text = (services: Services): string => JSON.stringify({ services })
const start = (services: Services): Promise<ServiceBox> =>
  startServices({ etc: { 'hermes/services.yaml': text(services) } })
const write = (box: ServiceBox, services: Services): void =>
  writeFileSync(box.path('/etc/hermes/services.yaml'), text(services))

/** Pid of each service that is up; others have their state. */
async function pids(box: ServiceBox): Promise<Readonly<Record<string, number | string>>> {
  const { slots } = await box.status()
  return Object.fromEntries(
    slots.flatMap(({ slot, state, pid }) =>
      slot.startsWith('service-') ? [[slot.slice('service-'.length), state === 'up' ? (pid ?? 0) : state]] : [],
    ),
  )
}
const allUp = async (box: ServiceBox, names: readonly string[]): Promise<Readonly<Record<string, number | string>>> =>
  waitFor(
    'all to be up',
    async () => {
      const found = await pids(box)
      if (names.every((name) => typeof found[name] === 'number')) return found
      throw new Error(JSON.stringify(found))
    },
    LONG,
  )
const environmentOf = (box: ServiceBox, pid: number | string | undefined): string =>
  readFileSync(`/proc/${box.pid1.pid}/root/proc/${pid}/environ`, 'latin1')
/** A service is up as soon as the process is there that becomes its program. */
const runsWith = (box: ServiceBox, pid: number | string | undefined, text: string): Promise<unknown> =>
  waitFor(`a program with ${text}`, () => environmentOf(box, pid).includes(text), LONG)
const json = async (box: ServiceBox, ...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await box.hermes('--json', 'service', 'reload', ...args)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}
const supervisorOf = async (box: ServiceBox): Promise<number> =>
  Number((await box.pid1.exec(['/bin/sh', '-c', 'pgrep -f lib/supervisor[.]cjs | head -1'])).stdout)

describe.skipIf(why !== undefined)(`service reload (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('of 200 services, what is new starts, what is gone stops, what has changed restarts, and no other is touched', async () => {
    const many = Object.fromEntries(Array.from({ length: 198 }, (_, i) => [`s${i}`, sleeps]))
    await using box = await start({ ...many, changes: sleeps, goes: sleeps })
    const names = [...Object.keys(many), 'changes']
    const before = await allUp(box, [...names, 'goes'])
    write(box, { ...many, changes: { ...sleeps, environment: { A: '1' } }, comes: sleeps })
    const plan = { added: ['comes'], removed: ['goes'], changed: ['changes'], unchanged: 198 }
    expect(await json(box, '--dry-run')).toEqual({ dryRun: true, ...plan })
    expect(await pids(box)).toEqual(before)
    expect(await json(box)).toEqual({ dryRun: false, ...plan })
    const after = await allUp(box, [...names, 'comes'])
    const { changes: old, goes: _, ...same } = before
    const { changes, comes, ...left } = after
    expect(left).toEqual(same)
    expect(changes).not.toBe(old)
    await runsWith(box, changes, 'A=1')
    expect(existsSync(box.path('/run/service/comes/supervise'))).toBe(true)
    expect(existsSync(box.path('/run/service/goes'))).toBe(false)
    const again = await box.hermes('service', 'reload')
    expect(again).toMatchObject({ code: 0, stdout: 'nothing to do: 200 services are unchanged\n' })
    expect(await pids(box)).toEqual(after)
  })

  test('a definition with a problem refuses the whole reload, with file, line and key, and nothing is touched', async () => {
    await using box = await start({ a: sleeps, b: sleeps })
    const before = await allUp(box, ['a', 'b'])
    writeFileSync(
      box.path('/etc/hermes/services.yaml'),
      'services:\n  a:\n    command: [/bin/true]\n  c:\n    command: [/bin/true]\n    restart: sometimes\n',
    )
    for (const args of [['--dry-run'], []]) {
      const refused = await box.hermes('service', 'reload', ...args)
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(
        /^hermes: nothing was reloaded: service c is left out: \/etc\/hermes\/services\.yaml, line 6, restart: expected always, on-failure or never, got "sometimes"; correct it/,
      )
    }
    expect(await pids(box)).toEqual(before)
    expect((await box.status()).warnings).toEqual([])
  })

  test('what depends on a changed service goes on; removed ones stop in order; a oneshot is undone and done again', async () => {
    const note = (word: string): string => `echo ${word} >> /run/notes`
    await using box = await start({
      base: { ...asRoot(`trap '${note('base')}; exit' TERM; ${GOES_ON}`), ...TRAPS },
      on: { ...asRoot(`trap '${note('on')}; exit' TERM; ${GOES_ON}`), ...TRAPS, depends_on: ['base'] },
      user: { ...sleeps, depends_on: ['changes'] },
      changes: sleeps,
      once: { ...asRoot(note('old-done')), oneshot: true, finish: ['/bin/sh', '-c', note('old-undone')] },
    })
    const before = await allUp(box, ['base', 'on', 'user', 'changes'])
    await box.service('once', ({ state }) => state === 'done', LONG)
    write(box, {
      changes: { ...sleeps, environment: { A: '1' } },
      user: { ...sleeps, depends_on: ['changes'] },
      once: { ...asRoot(note('new-done')), oneshot: true },
    })
    expect(await json(box)).toMatchObject({ removed: ['base', 'on'], changed: ['changes', 'once'] })
    await box.service('once', ({ state }) => state === 'done', LONG)
    const after = await allUp(box, ['changes', 'user'])
    expect(after.user).toBe(before.user)
    expect(after.changes).not.toBe(before.changes)
    const notes = box.read('/run/notes').trim().split('\n')
    const of = (...words: string[]): readonly string[] => notes.filter((one) => words.includes(one))
    expect(of('base', 'on')).toEqual(['on', 'base'])
    expect(of('old-done', 'old-undone', 'new-done')).toEqual(['old-done', 'old-undone', 'new-done'])
  })

  test('a service that was stopped by hand stays stopped, with its new definition; `start` decides about new ones', async () => {
    await using box = await start({
      still: sleeps,
      runs: sleeps,
      later: { ...sleeps, start: false },
      flips: { ...sleeps, start: false },
    })
    await allUp(box, ['still', 'runs'])
    expect(await box.hermes('service', 'stop', 'still')).toMatchObject({ code: 0 })
    write(box, {
      still: { ...sleeps, environment: { A: '1' } },
      runs: sleeps,
      later: { ...sleeps, environment: { A: '1' }, start: false },
      flips: sleeps,
      fresh: { ...sleeps, start: false },
    })
    expect(await json(box)).toMatchObject({ added: ['fresh'], changed: ['still', 'later', 'flips'] })
    await allUp(box, ['flips'])
    expect(await pids(box)).toMatchObject({ still: 'down', later: 'down', fresh: 'down' })
    expect(await box.hermes('service', 'start', 'still')).toMatchObject({ code: 0 })
    const { still } = await allUp(box, ['still'])
    await runsWith(box, still, 'A=1')
  })

  test('a supervisor that is killed while services still stop: the next one finishes the reload', async () => {
    // It obeys once the file is there.
    const stubborn = sh(`trap 'while [ ! -e /run/go ]; do sleep 0.1; done; exit' TERM; ${GOES_ON}`)
    const slow = { ...stubborn, ...TRAPS, stop_timeout: '10m' }
    await using box = await start({ goes: slow, changes: slow, stays: sleeps })
    const before = await allUp(box, ['goes', 'changes', 'stays'])
    write(box, { changes: { ...sleeps, environment: { A: '1' } }, stays: sleeps, comes: sleeps })
    const reload = box.hermes('service', 'reload')
    await box.service('goes', ({ state }) => state === 'stopping', LONG)
    expect(await box.hermes('service', 'reload')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another reload is still at work'),
    })
    const killed = await supervisorOf(box)
    await box.pid1.exec(['kill', '-KILL', `${killed}`])
    await waitFor('another supervisor', async () => ![0, killed].includes(await supervisorOf(box)), LONG)
    await reload
    writeFileSync(box.path('/run/go'), '')
    const after = await waitFor(
      'the end of the reload',
      async () => {
        const found = await pids(box)
        return found.goes === undefined && typeof found.changes === 'number' && found.comes ? found : undefined
      },
      LONG,
    )
    expect(after.stays).toBe(before.stays)
    expect(after.changes).not.toBe(before.changes)
    expect(await json(box)).toEqual({ dryRun: false, added: [], removed: [], changed: [], unchanged: 3 })
  })

  test('the supervisor is killed at any point of a reload: afterwards all of it is old, or all of it is new', async () => {
    let generation = 0
    const services = (): Services => ({
      ...Object.fromEntries(
        [0, 1, 2].map((i) => [`c${i}`, { ...sleeps, environment: { GENERATION: `${generation}` } }]),
      ),
      [`only-${generation}`]: sleeps,
      stays: sleeps,
    })
    await using box = await start(services())
    const { stays } = await allUp(box, ['c0', 'c1', 'c2', 'stays', 'only-0'])
    const generations = async (): Promise<ReadonlySet<string>> => {
      const found = await pids(box)
      const ofEach = Object.entries(found).flatMap(([name, pid]) => {
        if (name.startsWith('only-')) return typeof pid === 'number' ? name.slice('only-'.length) : `only ${pid}`
        if (!name.startsWith('c')) return []
        if (typeof pid !== 'number') return `${name} ${pid}`
        return /GENERATION=(\d+)/.exec(environmentOf(box, pid))?.[1] ?? `${name} begins`
      })
      return new Set(ofEach)
    }
    for (let delayMs = 0; delayMs <= 600; delayMs += 75) {
      generation += 1
      write(box, services())
      const killed = await supervisorOf(box)
      const reload = box.hermes('service', 'reload')
      await box.pid1.exec(['/bin/sh', '-c', `sleep ${delayMs / 1000}; kill -KILL ${killed}`])
      await reload
      await waitFor('another supervisor', async () => ![0, killed].includes(await supervisorOf(box)), LONG)
      const found = await waitFor(
        'one generation',
        async () => {
          const all = await generations()
          if (all.size === 1) return [...all][0]
          throw new Error([...all].join())
        },
        LONG,
      )
      expect([`${generation - 1}`, `${generation}`]).toContain(found)
      if (found !== `${generation}`) await json(box)
      await waitFor('the new generation', async () => [...(await generations())].join() === `${generation}`, LONG)
    }
    expect((await pids(box)).stays).toBe(stays)
  })

  test('the container stops in the middle of a reload: it ends in time, and starts nothing', async () => {
    const slow = { ...sh(`trap '' TERM; echo deaf; while :; do sleep 0.1; done`), stop_timeout: '10m' }
    await using box = await start({ changes: slow })
    await allUp(box, ['changes'])
    await waitFor('it to be deaf', () => box.log('changes').includes('deaf'), LONG)
    write(box, { changes: { ...sh('echo new; exec sleep 100000') }, comes: { ...sleeps, depends_on: ['changes'] } })
    const reload = box.hermes('service', 'reload')
    await box.service('changes', ({ state }) => state === 'stopping', LONG)
    expect(await box.stop()).toEqual({ code: 0 })
    await reload
    expect(box.log('changes')).not.toContain('new')
  })
})
