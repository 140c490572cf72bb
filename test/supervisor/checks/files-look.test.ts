import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { changedFile, lookAtFiles, MOST_FILES } from '../../../src/supervisor/checks/files-look.ts'
import { scratchDir } from '../../support/scratch.ts'

let dir = ''
beforeEach(() => {
  dir = scratchDir('hermes-look-')
})
const at = (...names: readonly string[]): string => join(dir, ...names)

/** The path that a change makes differ, below the directory. */
async function changedBy(paths: readonly string[], act: () => void): Promise<string | undefined> {
  const before = await lookAtFiles(paths)
  act()
  return changedFile(before, await lookAtFiles(paths))?.slice(dir.length + 1)
}

test('a file that comes, changes, is replaced or goes is named', async () => {
  mkdirSync(at('d', 'e'), { recursive: true })
  const file = at('d', 'e', 'f')
  expect(await changedBy([at('d')], () => writeFileSync(file, 'a'))).toBe('d/e/f')
  expect(await changedBy([at('d')], () => undefined)).toBeUndefined()
  expect(await changedBy([at('d')], () => writeFileSync(file, 'bb'))).toBe('d/e/f')
  writeFileSync(at('other'), 'cc')
  expect(await changedBy([at('d')], () => renameSync(at('other'), file))).toBe('d/e/f')
  expect(await changedBy([at('d')], () => rmSync(file))).toBe('d/e/f')
  expect(await changedBy([at('none')], () => writeFileSync(at('none'), ''))).toBe('none')
})

test('a mounted ConfigMap, whose files are links through a link that is replaced, is followed', async () => {
  for (const version of ['..1', '..2']) {
    mkdirSync(at(version))
    writeFileSync(at(version, 'prompt'), version)
  }
  symlinkSync('..1', at('..data'))
  symlinkSync('..data/prompt', at('prompt'))
  const swap = (): void => {
    symlinkSync('..2', at('..new'))
    renameSync(at('..new'), at('..data'))
  }
  expect(await changedBy([dir], swap)).toBe('prompt')
})

test('files of editors and programs are left out, unless they are named themselves', async () => {
  for (const name of ['.git', 'node_modules', '__pycache__']) mkdirSync(at(name))
  const act = (): void => {
    for (const name of ['.a.swp', 'a~', '.git/x', 'node_modules/x', '__pycache__/x']) writeFileSync(at(name), '')
  }
  expect(await changedBy([dir], act)).toBeUndefined()
  expect(await changedBy([at('.env')], () => writeFileSync(at('.env'), ''))).toBe('.env')
})

test('links to directories end no look and lead nowhere else, and a look has a limit', async () => {
  mkdirSync(at('d'))
  symlinkSync('.', at('d', 'circle'))
  symlinkSync('/proc', at('d', 'proc'))
  expect((await lookAtFiles([at('d')])).size).toBe(3)
  for (let i = 0; i < MOST_FILES + 50; i++) writeFileSync(at(`file-${i}`), '')
  expect((await lookAtFiles([dir])).size).toBe(MOST_FILES)
})
