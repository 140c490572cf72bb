import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { quickDir } from './quick-dir.ts'

/**
 * A new directory for the running test, for a call from its function or from a `beforeEach`. It is removed when the
 * test and its `afterEach` have ended.
 * @param prefix of its name
 */
export const scratchDir = (prefix: string): string => removedLater(makeDir(prefix))

/** The same in memory where there is room ({@link quickDir}). */
export const quickScratchDir = (prefix: string): string => removedLater(quickDir(prefix))

/** The same for all tests of a file or a `describe`, for a call from there. */
export function sharedScratchDir(prefix: string): string {
  const dir = makeDir(prefix)
  afterAll(() => removeDir(dir))
  return dir
}

function removedLater(dir: string): string {
  onTestFinished(() => removeDir(dir))
  return dir
}

const makeDir = (prefix: string): string => mkdtempSync(join(tmpdir(), prefix))
const removeDir = (dir: string): void => rmSync(dir, { recursive: true, force: true })
