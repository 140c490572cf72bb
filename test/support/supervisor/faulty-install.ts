import { chmodSync, cpSync, mkdtempSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ToInit, ToSupervisor } from '../../../src/protocol/init.ts'
import { installDir } from '../install.ts'

/** The message at which a supervisor dies: the JSON in the file `fault` of its home. It happens once. */
export type Fault = {
  readonly when: 'before' | 'after'
  /** A text that the message has to contain. */
  readonly holding?: string
} & (
  | { readonly direction: 'out'; readonly type: ToInit['type'] }
  | { readonly direction: 'in'; readonly type: ToSupervisor['type'] }
)

/** An install tree whose supervisor dies of a {@link Fault}. @returns its directory, which is the caller's to remove */
export function makeFaultyInstall(): string {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-faults-'))
  // The supervisor may be another user.
  chmodSync(dir, 0o755)
  cpSync(installDir(), dir, { recursive: true })
  const lib = join(dir, 'lib')
  renameSync(join(lib, 'supervisor.cjs'), join(lib, 'supervisor-real.cjs'))
  cpSync(join(import.meta.dirname, '../programs/dies-at-message.cjs'), join(lib, 'supervisor.cjs'))
  return dir
}
