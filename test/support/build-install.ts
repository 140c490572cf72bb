// Vitest's globalSetup: one install tree per run, built into a directory of its own, so that dist/ is never touched.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from '../../scripts/run.ts'
import { testImage } from './container/image.ts'

const root = dirname(dirname(import.meta.dirname))

/**
 * Sets HERMES_TEST_INSTALL and HERMES_TEST_IMAGE for the test workers. A tree named by the caller is used as it is.
 * A build that fails is reported by the tests that need the tree (`installDir`), not by those of the pure cores.
 */
export default async function buildInstall(): Promise<(() => Promise<void>) | undefined> {
  // Decided once: sources that change while the tests run make another image's name.
  process.env.HERMES_TEST_IMAGE ??= await testImage()
  // Each project runs this; the first one builds for all.
  if (process.env.HERMES_TEST_INSTALL ?? process.env.HERMES_TEST_INSTALL_ERROR) return undefined
  const scratch = await mkdtemp(join(tmpdir(), 'hermes-install-'))
  const install = join(scratch, 'dist')
  try {
    await run(process.execPath, [join(root, 'scripts', 'build.ts'), install], { cwd: root })
    process.env.HERMES_TEST_INSTALL = install
  } catch (error) {
    process.env.HERMES_TEST_INSTALL_ERROR = error instanceof Error ? error.message : String(error)
  }
  return () => rm(scratch, { recursive: true, force: true })
}
