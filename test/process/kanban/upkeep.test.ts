/** Questions of commands on a terminal. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tryRun } from '../../../scripts/run.ts'
import { program } from '../../support/install.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { Terminal } from '../../support/terminal.ts'

const hermes = program('hermes')

function scene() {
  const home = quickDir('hermes-upkeep-')
  const env = { ...process.env, HERMES_HOME: home, HERMES_RUN_DIR: join(home, 'run'), USER: 'tester' }
  const run = async (...args: string[]) => tryRun(hermes, ['kanban', ...args], { env, timeoutMs: 120_000 })
  return {
    run,
    async create(title: string): Promise<string> {
      const { stdout } = await run('create', title)
      return stdout.slice(0, 10)
    },
    terminal: (args: string) => new Terminal(`${hermes} kanban ${args}`, async () => undefined, env),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

test('delete asks on a terminal, and removes the task only after yes', { timeout: 300_000 }, async () => {
  using place = scene()
  const id = await place.create('a mistake')
  for (const [typed, code] of [
    ['\r', 1],
    ['no\r', 1],
    ['y\r', 0],
  ] as const) {
    expect((await place.run('show', id)).code, `before ${JSON.stringify(typed)}`).toBe(0)
    await using terminal = place.terminal(`delete ${id}`)
    await terminal.shows(`this deletes ${id} "a mistake" (ready) with 0 comments and 0 runs. Continue? [y/N]`)
    terminal.type(typed)
    expect(await terminal.exit()).toBe(code)
    if (code === 1) await terminal.shows('not confirmed; nothing was changed')
  }
  expect((await place.run('show', id)).code).toBe(1)
})

test('bulk lists the tasks on a terminal before it asks', { timeout: 300_000 }, async () => {
  using place = scene()
  const id = await place.create('an old question')
  await using terminal = place.terminal('bulk archive --unassigned')
  const seen = await terminal.shows('this changes 1 task, to be archived. Continue? [y/N]')
  expect(seen).toContain(id)
  terminal.type('yes\r')
  expect(await terminal.exit()).toBe(0)
  await terminal.shows('1 task archived')
})
