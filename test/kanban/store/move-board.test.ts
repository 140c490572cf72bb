import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { openBoard, openTables } from '../../../src/kanban/store/board.ts'
import { FileBoards } from '../../../src/kanban/store/file-boards.ts'
import { boardPlace, leavingDirectory } from '../../../src/kanban/store/places.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'
import { boardsContract } from '../port/boards-contract.ts'

const clock = systemClock()
const actor = { name: 'tester', wallMs: Date.now() }
const warn = (): void => undefined

function scene() {
  const home = quickDir('hermes-boards-')
  return { home, boards: new FileBoards(home), [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) }
}

boardsContract('files', async () => {
  const { boards, [Symbol.dispose]: dispose } = scene()
  return { boards, [Symbol.asyncDispose]: async () => dispose() }
})

test('a board that a program has open gets its new name when that has closed it, and nothing is lost', async () => {
  using place = scene()
  const [old, renamed] = [boardPlace(place.home, 'old'), boardPlace(place.home, 'renamed')]
  const served = await openBoard(old, { mode: 'create', warn })
  await served.create({ title: 'before' }, actor)
  let isMoved = false
  const moving = place.boards.rename(old, 'renamed', clock).then(() => {
    isMoved = true
  })
  await waitFor('the old name to be gone', () => !existsSync(dirname(old.file)))
  await served.create({ title: 'in between' }, actor)
  expect(isMoved).toBe(false)
  expect(await place.boards.list()).toEqual([])
  // Its log would be the one that the other program removes.
  await expect(openBoard(old, { mode: 'create', warn })).rejects.toMatchObject({
    code: 'REFUSED',
    message: 'a board "old" is being renamed or removed',
  })
  await served.close()
  await moving
  expect(await place.boards.list()).toEqual([renamed])
  const tables = openTables(renamed, { mode: 'write', warn })
  expect(tables.all('SELECT title FROM tasks ORDER BY seq')).toEqual([{ title: 'before' }, { title: 'in between' }])
  tables.close()
})

test('a command that was interrupted goes on when it is run again', async () => {
  using place = scene()
  for (const again of ['rename', 'setAside'] as const) {
    const old = boardPlace(place.home, `old-${again.toLowerCase()}`)
    const board = await openBoard(old, { mode: 'create', warn })
    await board.create({ title: 'kept' }, actor)
    await board.close()
    renameSync(dirname(old.file), leavingDirectory(dirname(old.file)))
    if (again === 'rename') await place.boards.rename(old, 'new', clock)
    else expect(existsSync(join(await place.boards.setAside(old, clock), 'kanban.db'))).toBe(true)
    expect(existsSync(leavingDirectory(dirname(old.file)))).toBe(false)
  }
  expect((await place.boards.list()).map(({ slug }) => slug)).toEqual(['new'])
})

test('a place that takes no directory leaves the board in use', async () => {
  using place = scene()
  const old = boardPlace(place.home, 'old')
  const board = await openBoard(old, { mode: 'create', warn })
  await board.close()
  // The name of a file is taken, so nothing can be made below it.
  writeFileSync(join(place.home, 'kanban', 'removed'), '')
  await expect(place.boards.setAside(old, clock)).rejects.toMatchObject({
    code: expect.stringMatching(/EEXIST|ENOTDIR/),
  })
  expect((await place.boards.list()).map(({ slug }) => slug)).toEqual(['old'])
})
