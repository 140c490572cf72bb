// The volume of a container loses its power, its lease or its server: what was reported is kept, one container has it,
// and init does its other work.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requireTask } from '../../../src/kanban/sqlite/queries.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { keptHome, lives, startContainer } from '../../support/container/container.ts'
import { letHang, whyNoHangingFile } from '../../support/hostile/hanging-file.ts'
import { cutDisk } from '../../support/hostile/power-cut.ts'
import { size } from '../../support/size.ts'
import { named, whyNotRoot } from '../../support/tools.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const files = { 'config.yaml': lives(), desired_state: 'running\n' }
const ROUNDS = size(3, 50)

test('a task that docker exec has reported as created, then as complete, is so after a power cut', async (context) => {
  const made = cutDisk()
  if (typeof made === 'string') return context.skip(`no disk to cut: ${made}`)
  using disk = made
  await using box = await startContainer({ home: join(disk.path, 'home'), files })
  await box.up('gateway-default')
  const statusAfterCut = (id: string): Promise<string> =>
    disk.afterCut(async (path) => {
      const place = boardPlace(join(path, 'home'), 'default')
      const tables = openTables(place, { mode: 'write', warn: () => undefined })
      try {
        return requireTask(tables, id).status
      } finally {
        tables.close()
      }
    })
  for (let round = 0; round < ROUNDS; round++) {
    const created = await box.ok('hermes', '--json', 'kanban', 'create', `task ${round}`, '--triage')
    const { id } = JSON.parse(created) as { id: string }
    expect(await statusAfterCut(id)).toBe('triage')
    // As a gateway does.
    expect((await box.exec(['hermes', 'kanban', 'complete', id], { user: 'hermes' })).code).toBe(0)
    expect(await statusAfterCut(id)).toBe('done')
  }
})

test('a run.lease that the runtime user deletes again and again stays with the container that has the volume', async () => {
  using volume = keptHome()
  await using first = await startContainer({ home: volume.path, hostname: 'first', files })
  const { pid } = await first.up('gateway-default')
  await using second = await startContainer({ home: volume.path, hostname: 'second', command: ['sleep', '1000'] })
  await second.saw('container first is using this volume')
  for (let round = 0; round < 5; round++) {
    await first.exec(['rm', '/opt/data/run.lease'], { user: 'hermes' })
    await waitFor('the lease to be there again', () => first.file('run.lease')?.includes('host=first'))
  }
  await first.saw('was removed or replaced while we held it')
  expect(await first.up('gateway-default')).toMatchObject({ pid, restarts: 0 })
  expect((await second.status()).slots.filter(({ state }) => state === 'up')).toEqual([])
})

const why = whyNotRoot ?? whyNoHangingFile()
test.skipIf(why !== undefined)(
  named('a volume that hangs at the lease holds up neither reaping nor the stop of a container', why),
  async () => {
    await using box = await startContainer({
      command: ['sh', '-c', 'trap "exit 7" TERM; echo here; while :; do sleep 0.02; done'],
      files,
    })
    await box.up('gateway-default')
    await box.saw('here')
    await using _ = await letHang(Number(await box.inspect('{{.State.Pid}}')), '/opt/data/run.lease')
    // A look at it every two seconds; and an orphan that ends is init's to reap.
    await box.ok('sh', '-c', '(sleep 0.1; echo >/run/orphan-ends) & sleep 3; test -e /run/orphan-ends')
    await waitFor('no zombie', async () => !/^Z/m.test(await box.ok('sh', '-c', 'cut -d" " -f3 /proc/[0-9]*/stat')))
    const { ms, code } = await box.stop()
    expect(code).toBe(7)
    expect(ms).toBeLessThan(stretchedMs(10_000))
  },
)
