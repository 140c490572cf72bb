import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '../wait.ts'
import { type Etc, type ServiceBox, startServices } from './service-box.ts'

export const CHAINS = 20
export const DEPTH = 10

/**
 * 200 services that are ready at once, in chains: s0-0 needs s0-1 and so on, so that no list of them is in order by
 * itself. Name → what it depends on.
 */
const chains = (deep: number): ReadonlyMap<string, readonly string[]> =>
  new Map(
    Array.from({ length: CHAINS * DEPTH }, (_, i) => {
      const [chain, place] = [Math.floor(i / deep), i % deep]
      return [`s${chain}-${place}`, place === deep - 1 ? [] : [`s${chain}-${place + 1}`]]
    }),
  )

/**
 * In the form of `as`, as an author would write it.
 * @param install default: the install tree of this test run
 * @param deep length of the chains; 1: nothing depends on anything
 */
export function startMany(as: 'yaml' | 's6-rc', install?: string, deep = DEPTH): Promise<ServiceBox> {
  const etc = (as === 'yaml' ? inYaml : inS6Rc)(chains(deep))
  return startServices({ etc, ...(install !== undefined && { install }) })
}

type Chains = ReturnType<typeof chains>

function inYaml(all: Chains): Etc {
  const services = [...all].map(([name, needs]) => [name, { command: ['sleep', '1000000'], depends_on: needs }])
  return { 'hermes/services.yaml': JSON.stringify({ services: Object.fromEntries(services) }) }
}

function inS6Rc(all: Chains): Etc {
  const files = new Map([['user/type', 'bundle\n']])
  for (const [name, needs] of all) {
    files.set(`${name}/type`, 'longrun\n')
    files.set(`${name}/run`, '#!/bin/sh\nexec sleep 1000000\n')
    files.set(`user/contents.d/${name}`, '')
    for (const need of needs) files.set(`${name}/dependencies.d/${need}`, '')
  }
  return Object.fromEntries([...files].map(([file, text]) => [`s6-overlay/s6-rc.d/${file}`, text]))
}

/** When each service was up, by the supervisor's own log, in that order; waits until all are. Unix ms. */
export async function upTimes(box: ServiceBox): Promise<ReadonlyMap<string, number>> {
  const log = join(box.home, 'logs', 'supervisor.log')
  const read = (): ReadonlyMap<string, number> =>
    new Map(
      [...readFileSync(log, 'utf8').matchAll(/^(\S+) .*service-(\S+) \(pid \d+\) is up$/gm)].map(
        ([, at = '', name = '']) => [name, Date.parse(at)],
      ),
    )
  await waitFor('all to be up', () => read().size === CHAINS * DEPTH, { deadlineMs: 120_000 })
  return read()
}
