// The stack and the compose files of nodes, as data; what they run is in test/container/engines.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from '../support/pages.ts'

interface Service {
  readonly stop_grace_period: string
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly cap_add: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
}
interface Deploy {
  readonly deploy: { readonly mode: string; readonly update_config: object; readonly rollback_config: object }
}
const read = (file: string): { readonly services: Readonly<Record<string, Service>> } =>
  parse(readFileSync(join(root, file), 'utf8'))
const serviceOf = (file: string): Service => {
  const [service, ...more] = Object.values(read(file).services)
  if (service === undefined || more.length > 0) throw new Error(`${file} does not have one service`)
  return service
}

const NODES = ['deploy/swarm.yaml', 'deploy/compose/node.yaml']

test.each(NODES)('%s gives the stop its time, and the container no more rights than compose.yaml does', (file) => {
  const { stop_grace_period, environment, read_only, cap_drop, cap_add } = serviceOf(file)
  expect(Number.parseInt(stop_grace_period, 10)).toBeGreaterThan(Number(environment.HERMES_STOP_TIMEOUT))
  const single = serviceOf('compose.yaml')
  expect({ read_only, cap_drop, cap_add }).toEqual({
    read_only: true,
    cap_drop: single.cap_drop,
    cap_add: single.cap_add,
  })
})

test.each([...NODES, 'deploy/swarm-dashboard.yaml', 'deploy/compose/database.yaml'])(
  '%s names the file of each secret, and has none as a value',
  (file) => {
    const secrets = Object.entries(serviceOf(file).environment).filter(([name]) => /PASSWORD|TOKEN|DATABASE/.test(name))
    expect(secrets.length).toBeGreaterThan(0)
    for (const [name, value] of secrets) expect(`${name}=${value}`).toMatch(/_FILE=\/run\/secrets\/[a-z-]+$/)
  },
)

test('the stack has a node on each machine, and ends the old container before the new one takes its volume', () => {
  expect((serviceOf('deploy/swarm.yaml') as Service & Deploy).deploy).toMatchObject({
    mode: 'global',
    update_config: { order: 'stop-first', parallelism: 1 },
    rollback_config: { order: 'stop-first' },
  })
  expect(serviceOf('deploy/swarm.yaml').ports).toBeUndefined()
})

test('the compose files publish no port on addresses other than the chosen one', () => {
  for (const file of ['deploy/compose/node.yaml', 'deploy/compose/database.yaml'])
    for (const port of serviceOf(file).ports ?? []) expect(port).toMatch(/^\$\{(NODE|DATABASE)_ADDRESS:\?/)
})
