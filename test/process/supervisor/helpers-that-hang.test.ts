import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as cli } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

/** Longer on a busy machine, which may keep a helper from answering. */
const TIMEOUT_S = Math.ceil(stretchedMs(3000) / 1000)

const HELPERS = ['dashboard', 'dispatcher', 'meter', 'notifier', 'forwarder', 'front-port']

test('each helper that has stopped turning its loop is killed after the time-out, with a line, and starts again', async () => {
  await using hermes = await startHermes({
    profiles: [
      {
        name: 'default',
        gateway: { command: ['sleep', '100000'] },
        agent: { meter: true },
        notify: [{ name: 'ops', to: 'exec', command: ['true'] }],
        forward: [{ name: 'central', to: 'syslog', url: 'udp://127.0.0.1:9' }],
      },
    ],
    env: {
      HERMES_METER_PORT: String(await freePort()),
      HERMES_FRONT_PORT: String(await freePort()),
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_HOST: '127.0.0.1',
      HERMES_DASHBOARD_PORT: String(await freePort()),
      HERMES_HELPER_TIMEOUT: String(TIMEOUT_S),
    },
  })
  const place = { home: hermes.home, env: { HERMES_RUN_DIR: hermes.runDir } }
  expect((await cli(['kanban', 'init'], place)).code).toBe(0)
  const isUp = async (helper: string) => {
    const slot = await hermes.slot(helper)
    return slot?.state === 'up' && slot
  }
  const firsts: [string, number][] = []
  for (const helper of HELPERS) {
    const { pid } = await waitFor(`the ${helper} to be up`, () => isUp(helper), { deadlineMs: 60_000 })
    firsts.push([helper, pid as number])
  }
  for (const [, pid] of firsts) process.kill(pid, 'SIGSTOP')
  for (const [helper, pid] of firsts) {
    const second = await waitFor(
      `another process of the ${helper}`,
      async () => {
        const slot = await isUp(helper)
        return slot && slot.pid !== pid && slot
      },
      { deadlineMs: 60_000 },
    )
    expect(second).toMatchObject({ restarts: 1, lastDeath: { signal: 'KILL' } })
    const log = readFileSync(join(hermes.home, 'logs', 'supervisor.log'), 'utf8')
    expect(log).toContain(`${helper} (pid ${pid}) has not answered for ${TIMEOUT_S} s; it is killed and starts again`)
  }
})
