// `hermes backup schedule` as it is typed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as command, type Ran } from '../../support/cli.ts'
import { gatewayThat, startHermes } from '../../support/hermes.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

/** So many seconds a machine that is busy with other tests may need for a backup. */
const BUSY_MS = 120_000

test('backups are made at times, and only while a schedule is set', { timeout: 600_000 }, async () => {
  const top = scratchDir('hermes-schedule-')
  const home = join(top, 'home')
  const mount = join(top, 'mount')
  for (const dir of [home, mount]) mkdirSync(dir)
  const hermes = (...args: readonly string[]): Promise<Ran> => command(args, { home })
  const backups = (): readonly string[] => readdirSync(mount).filter((name) => /^hermes-.*\.tar\.gz$/.test(name))
  await using running = await startHermes({ profiles: [], home, keepHome: true })
  expect((await hermes('backup', 'schedule')).stdout).toMatch(
    /^no backup is scheduled\n {2}next: hermes backup schedule/,
  )

  const refusals: readonly (readonly [readonly string[], string])[] = [
    [['every day'], 'gateway.schedule: '],
    [['* * * * *', '--keep', '0'], '--keep takes a whole number'],
    [['* * * * *', '--out', join(top, 'none')], `${join(top, 'none')} is not a directory`],
    [['--keep', '3'], '--keep is for a schedule that is being set'],
    [['--remove', '* * * * *'], '--remove takes nothing else'],
  ]
  for (const [args, line] of refusals) {
    const ran = await hermes('backup', 'schedule', ...args)
    expect([ran.code, ran.stderr], args.join(' ')).toEqual([2, expect.stringContaining(line)])
  }
  expect(readdirSync(join(home, 'profiles'))).toEqual([])

  const set = await hermes('backup', 'schedule', '* * * * * *', '--keep', '2', '--out', mount)
  expect(set).toMatchObject({ code: 0, stderr: '' })
  expect(set.stdout).toContain(`* * * * * *: hermes backup --out ${mount} --keep 2\n`)
  await waitFor('a backup', () => backups().length > 0, { deadlineMs: BUSY_MS })

  // Set anew, it counts at once, and nothing is made now.
  expect((await hermes('backup', 'schedule', '0 3 1 1 *')).code).toBe(0)
  await gatewayThat(running, 'backup', ({ wanted }) => wanted === 'up')
  expect((await hermes('backup', 'schedule')).stdout).toMatch(/^0 3 1 1 \*: hermes backup --keep 7\n/)
  const [name = ''] = backups()
  expect((await hermes('restore', '--verify', join(mount, name))).code).toBe(0)

  expect(await hermes('backup', 'schedule', '--remove')).toMatchObject({
    code: 0,
    stdout: 'the schedule is removed (0 3 1 1 *: hermes backup --keep 7); the backups are still there\n',
  })
  expect([readdirSync(join(home, 'profiles')), backups().length > 0]).toEqual([[], true])

  // A schedule whose command was changed is a profile of the user, and so is another one of that name.
  expect((await hermes('backup', 'schedule', '0 3 1 1 *')).code).toBe(0)
  expect((await hermes('-p', 'backup', 'config', 'set', 'gateway.command', '["my-backup"]')).code).toBe(0)
  const kept = await hermes('backup', 'schedule', '--remove')
  expect([kept.code, kept.stderr]).toEqual([1, expect.stringContaining('is a profile of yours')])
  expect((await hermes('profile', 'delete', 'backup', '--yes')).code).toBe(0)
  expect((await hermes('profile', 'create', 'backup')).code).toBe(0)
  const config = join(home, 'profiles', 'backup', 'config.yaml')
  writeFileSync(config, 'gateway: {command: [my-backup]}\n')
  for (const args of [[], ['0 3 * * *'], ['--remove']]) {
    const ran = await hermes('backup', 'schedule', ...args)
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('is a profile of yours')])
  }
  expect(readFileSync(config, 'utf8')).toBe('gateway: {command: [my-backup]}\n')
})
