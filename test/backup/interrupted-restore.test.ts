import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, promises, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { readProcess } from '../../src/system/programs/proc.ts'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { scratchDir } from '../support/scratch.ts'
import { putBack, save, tree } from './scene.ts'

const killed = join(import.meta.dirname, '..', 'support', 'programs', 'backup', 'restores-home.ts')

let top: string
let home: string
let file: string
/** A directory that exists, as a mount does. */
let to: string
beforeEach(async () => {
  top = scratchDir('hermes-interrupted-')
  home = join(top, 'home')
  file = join(top, 'home.tar.gz')
  to = join(top, 'to')
  mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
  mkdirSync(to)
  for (const name of ['config.yaml', 'SOUL.md', 'profiles/coder/config.yaml']) writeFileSync(join(home, name), name)
  await save(home, file)
})

/**
 * One rename begins to move, four move a name each (config.yaml, SOUL.md, profiles, desired_state), and the last one
 * begins to clean up.
 */
function restoreKilledAt(n: number, from = file, call = 'rename'): void {
  const { signal, stderr } = spawnSync(process.execPath, [killed, from, to, `${n}`, call], { encoding: 'utf8' })
  expect(signal, stderr).toBe('SIGKILL')
}
const contents = (): readonly string[] => Object.keys(tree(to)).filter((name) => !name.includes('.hermes-'))
const leftovers = (): readonly string[] => readdirSync(to).filter((name) => name.startsWith('.hermes-'))
const WHOLE = ['SOUL.md', 'config.yaml', 'desired_state', 'profiles', 'profiles/coder']
const ALL = [...WHOLE, 'profiles/coder/config.yaml', 'profiles/coder/desired_state']

test.each([1, 2, 4, 5])(
  'a restore into a mount that was killed at its rename %i is finished by the next one',
  async (n) => {
    restoreKilledAt(n)
    expect(contents().length).toBeLessThan(ALL.length)
    await putBack(file, to)
    expect(leftovers()).toEqual([])
    expect(contents()).toEqual(ALL)
    await expect(putBack(file, to)).rejects.toThrow(`${to} is not empty`)
  },
)

test('killed when everything was moved, it is finished by the next one', async () => {
  restoreKilledAt(6)
  expect(contents()).toEqual(ALL)
  await putBack(file, to)
  expect([contents(), leftovers()]).toEqual([ALL, []])
})

test('killed while it cleaned up, it was done: the next one finds a home there, and cleans up', async () => {
  restoreKilledAt(1, file, 'rmdir')
  expect([contents(), leftovers().length]).toEqual([ALL, 1])
  await expect(putBack(file, to)).rejects.toThrow(`${to} is not empty`)
  expect([contents(), leftovers()]).toEqual([ALL, []])
})

test('the rest of an interrupted restore needs no room on the disk', async (context) => {
  using disk = memoryDisk('2m')
  if (!disk) return context.skip(NO_MOUNT)
  writeFileSync(join(home, 'large'), randomBytes(1_300_000))
  await save(home, file)
  to = disk.path
  restoreKilledAt(3)
  await putBack(file, to)
  expect(contents()).toEqual([...ALL, 'large'].sort())
})

test('if moving fails and moving back fails too, both errors are reported, and the same restore goes on', async () => {
  const { rename } = promises
  let renames = 0
  const failing = vi.spyOn(promises, 'rename').mockImplementation(async (from, into) => {
    renames += 1
    if (renames > 2) throw new Error(renames === 3 ? 'first trouble' : 'second trouble')
    await rename(from, into)
  })
  await expect(putBack(file, to)).rejects.toMatchObject({
    message: `the restore into ${to} was interrupted: first trouble; and what is there could not be moved back: second trouble`,
    next: 'remove the cause and run the same command again, which goes on from there',
  })
  failing.mockRestore()
  // Its process is gone by then.
  const [left = ''] = leftovers()
  renameSync(join(to, left), join(to, left.replace(/-\d+\.\d+\./, '-4194304.1.')))
  await putBack(file, to)
  expect(contents()).toEqual(ALL)
})

test('a restore of another backup, or in another way, says what to remove', async () => {
  restoreKilledAt(3)
  const before = tree(to)
  const other = join(top, 'other.tar.gz')
  writeFileSync(join(home, 'new'), '')
  await save(home, other)
  const refusals = [() => putBack(other, to), () => putBack(file, to, true)]
  for (const refused of refusals)
    await expect(refused()).rejects.toMatchObject({
      code: 'REFUSED',
      message: `${to} has a part of another backup, whose restore was interrupted; nothing was restored`,
      next: `restore that backup with the same options, which goes on from there; or empty it first: find '${to}' -mindepth 1 -delete`,
    })
  expect(tree(to)).toEqual(before)
  // The command that the line names.
  expect(spawnSync('find', [to, '-mindepth', '1', '-delete']).status).toBe(0)
  await putBack(other, to)
  expect(contents()).toEqual([...ALL, 'new'].sort())
})

test('a file that was made since then is not replaced', async () => {
  restoreKilledAt(2)
  writeFileSync(join(to, 'config.yaml'), 'of a boot in between')
  const before = tree(to)
  await expect(putBack(file, to)).rejects.toMatchObject({
    message: `a restore into ${to} was interrupted, and "config.yaml" has been made there since`,
    next: expect.stringMatching(`^move '${to}/config.yaml' away and run the command again; or empty it first: find '`),
  })
  expect(tree(to)).toEqual(before)
  rmSync(join(to, 'config.yaml'))
  await putBack(file, to)
  expect(contents()).toEqual(ALL)
})

test('a restore that still runs is waited for', async () => {
  restoreKilledAt(3)
  const [name = ''] = readdirSync(to).filter((one) => one.startsWith('.hermes-restoring-'))
  const living = name.replace(/-\d+\.\d+\./, `-${process.pid}.${readProcess(process.pid)?.startTime}.`)
  renameSync(join(to, name), join(to, living))
  await expect(putBack(file, to)).rejects.toThrow(`another restore is filling ${to}; nothing was restored`)
})
