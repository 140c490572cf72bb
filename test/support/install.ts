import { join } from 'node:path'

/** The install tree of this test run (`bin/`, `lib/`), built once by vitest's globalSetup. */
export function installDir(): string {
  const install = process.env.HERMES_TEST_INSTALL
  if (install) return install
  const why = process.env.HERMES_TEST_INSTALL_ERROR ?? 'run the tests through vitest, whose globalSetup builds it'
  throw new Error(`there is no install tree: ${why}`)
}

/** A wrapper of the install tree: `program('hermes')`, `program('init')`. */
export const program = (name: string): string => join(installDir(), 'bin', name)
