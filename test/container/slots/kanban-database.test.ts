// The board in PostgreSQL, in the container: the address in a file of root's, as Docker and Swarm mount secrets.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startContainer } from '../../support/container/container.ts'
import { startHostPostgres } from '../../support/container/postgres.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()

/** Reports by `hermes kanban`, after it has looked for the address wherever its user can. */
const WORKER = `{ env; cat /run/s6/container_environment/* /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'
grep -r -a -e '[h]ushhush' /opt/data/config.yaml /run/hermes /run/service /run/secrets; } 2>/dev/null
hermes kanban complete "$HERMES_KANBAN_TASK" --result "done by hand"`

test.skipIf(why !== undefined)(
  'a board by the address in a file of root’s: workers do their tasks, and no process of the runtime user can read the address',
  { timeout: 300_000 },
  async () => {
    await using server = await startHostPostgres('hushhush')
    const dir = mkdtempSync(join(tmpdir(), 'hermes-database-'))
    const file = join(dir, 'board')
    writeFileSync(file, `${server.url}\n`)
    chmodSync(file, 0o400)
    try {
      await using box = await startContainer({
        env: {
          HERMES_KANBAN_DATABASE_FILE: '/run/secrets/board',
          HERMES_DASHBOARD: '1',
          HERMES_DASHBOARD_INSECURE: '1',
        },
        mounts: [[file, '/run/secrets/board', 'ro']],
        files: {
          'config.yaml': JSON.stringify({
            kanban: { dispatch_interval_seconds: 1, default_assignee: 'default' },
            agent: { command: ['sh', '-c', WORKER] },
          }),
        },
      })
      await box.up('dispatcher')
      expect(await box.ok('stat', '-c', '%U %a', '/run/hermes/board')).toBe('hermes 700\n')
      const { id } = JSON.parse(await box.ok('hermes', 'kanban', 'create', 'a task', '--json')) as { id: string }
      const show = async () => JSON.parse(await box.ok('hermes', 'kanban', 'show', id, '--json'))
      await waitFor('the task to be done', async () => (await show()).status === 'done', { deadlineMs: 60_000 })
      expect(await show()).toMatchObject({ result: 'done by hand' })
      const output = await box.ok('cat', `/opt/data/kanban/logs/${id}.log`)
      expect(output).toContain(`HERMES_KANBAN_TASK=${id}`)
      expect(output).not.toMatch(/hushhush|postgres:|HERMES_KANBAN_D/)
      // Not even in the memory of what holds it.
      const look = `for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; cat $p/mem >/dev/null && echo readable; done 2>&1`
      const { stdout } = await box.exec(['sh', '-c', look], { user: 'hermes' })
      expect(stdout).toMatch(/kanban dispatcher.*\n.*Permission denied/)
      expect((await box.exec(['ls', '/opt/data'], {})).stdout).not.toContain('kanban.db')
      expect((await box.logs()).stderr).not.toContain('hush')
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
)

test.skipIf(why !== undefined)(
  'a container whose board has an address of another kind ends with 1 and one line',
  async () => {
    await using box = await startContainer({ env: { HERMES_KANBAN_DATABASE: 'mysql://me:hush@db/board' } })
    expect(await box.exit()).toBe(1)
    const { stderr } = await box.logs()
    expect(stderr.trim().split('\n').at(-1)).toBe(
      'hermes: error: HERMES_KANBAN_DATABASE is not an address of PostgreSQL such as postgres://USER:PASSWORD@HOST/DATABASE. correct it, or leave it unset to keep the board in the volume',
    )
    expect(stderr).not.toContain('hush')
  },
)
