// The supervisor dies between two steps of what its services wait for; as root and PID 1 of a namespace.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fault, makeFaultyInstall } from '../../support/supervisor/faulty-install.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type ServiceBox, startServices } from '../../support/supervisor/service-box.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')
const LONG = { deadlineMs: 60_000 }
const DEPENDENTS = ['left', 'middle', 'right']

/** Goes on when the file is there; /run is the namespace's own. */
const until = (file: string): string => `while [ ! -e /run/${file} ]; do sleep 0.05; done`
const sh = (text: string) => ({ command: ['/bin/sh', '-c', text], stop_timeout: '10m', start_timeout: 0 })

const services = {
  base: {
    ...sh(`echo begins >>/run/base; ${until('go')}; echo at work; exec sleep 100000`),
    ready: { log: 'at work' },
  },
  ...Object.fromEntries(
    DEPENDENTS.map((name) => [
      name,
      {
        ...sh(`trap '${until('end')}; exit' TERM; echo begins >>/run/${name}; while :; do sleep 0.05; done`),
        depends_on: ['base'],
      },
    ]),
  ),
}

let install = ''
beforeAll(() => {
  install = makeFaultyInstall()
})
afterAll(() => rmSync(install, { recursive: true, force: true }))

const start = (): Promise<ServiceBox> =>
  startServices({ etc: { 'hermes/services.yaml': JSON.stringify({ services }) }, install })
const touch = (box: ServiceBox, name: string): void => writeFileSync(box.path(`/run/${name}`), '')

/** Has the supervisor die once nothing is stored any more of what it has to start, or to stop. */
async function strike(box: ServiceBox, goals: 'start' | 'stop', when: Fault['when'], act: () => void): Promise<void> {
  const file = join(box.home, 'fault')
  const fault: Fault = { direction: 'out', when, type: 'keep', holding: JSON.stringify(`"${goals}":[]`).slice(1, -1) }
  writeFileSync(file, JSON.stringify(fault))
  act()
  await waitFor('the fault to happen', () => !existsSync(file), LONG)
}

const both = [['before'], ['after']] as const

describe.skipIf(why !== undefined)(`a supervisor that dies (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test.each(both)('%s it stores that nothing waits to start loses no start', async (when) => {
    await using box = await start()
    await box.service('base', ({ state }) => state === 'starting', LONG)
    for (const name of DEPENDENTS) await box.service(name, ({ reason }) => reason === 'waits for base', LONG)
    await strike(box, 'start', when, () => touch(box, 'go'))
    for (const name of [...DEPENDENTS, 'base']) {
      expect(await box.service(name, ({ state }) => state === 'up', LONG)).toMatchObject({ restarts: 0 })
      await waitFor('its note', () => box.read(`/run/${name}`) !== '', LONG)
      expect(box.read(`/run/${name}`)).toBe('begins\n')
    }
  })

  test.each(both)('%s it stores that nothing waits to stop loses no stop', async (when) => {
    await using box = await start()
    await box.service('base', ({ state }) => state === 'starting', LONG)
    touch(box, 'go')
    for (const name of DEPENDENTS) await box.service(name, ({ state }) => state === 'up', LONG)
    // The programs have set their traps.
    for (const name of DEPENDENTS) await waitFor('its note', () => box.read(`/run/${name}`) !== '', LONG)
    const stop = box.hermes('service', 'stop', 'base')
    for (const name of DEPENDENTS) await box.service(name, ({ state }) => state === 'stopping', LONG)
    await strike(box, 'stop', when, () => touch(box, 'end'))
    // Its connection ended with the supervisor.
    await stop
    for (const name of ['base', ...DEPENDENTS])
      expect(await box.service(name, ({ state }) => state === 'down', LONG)).toMatchObject({ wanted: 'down' })
  })
})
