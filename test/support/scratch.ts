import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'

/**
 * A new directory for the running test, for a call from its function or from a `beforeEach`. It is removed when the
 * test and its `afterEach` have ended.
 * @param prefix of its name
 */
export function scratchDir(prefix: string): string {
  const dir = makeDir(prefix)
  onTestFinished(() => removeDir(dir))
  return dir
}

/** The same for all tests of a file or a `describe`, for a call from there. */
export function sharedScratchDir(prefix: string): string {
  const dir = makeDir(prefix)
  afterAll(() => removeDir(dir))
  return dir
}

const makeDir = (prefix: string): string => mkdtempSync(join(tmpdir(), prefix))
const removeDir = (dir: string): void => rmSync(dir, { recursive: true, force: true })
