// Loaded by hermes.cjs and s6.cjs only for a root caller whose command lives long, or shares root's terminal: these
// need the native binding.
import { join } from 'node:path'
import { becomeUser } from '../../src/cli/terminal/drop.ts'
import type { RuntimeIdentity } from '../../src/protocol/start-up.ts'
import { NODE_SECRET } from '../../src/system/dashboard-secrets.ts'
import { ownSecrets } from '../../src/system/files/secret-file.ts'

/** Becomes this user for good. @returns variables to set. @throws Error with one line for users */
export const dropRoot = async (identity: RuntimeIdentity): Promise<Readonly<Record<string, string>>> =>
  becomeUser(identity, await native())

/** The same for the user of a walled profile, for whom setuid programs have no effect either. */
export async function dropToWalled(identity: RuntimeIdentity): Promise<Readonly<Record<string, string>>> {
  const binding = await native()
  binding.refuseNewPrivileges()
  return becomeUser(identity, binding)
}

/**
 * The node token of `profile move`, if only root may read its file: the command still has it when it is another user.
 * Of a file that cannot be used, the command itself says why. Never throws.
 */
export function tokenOfRoot(args: readonly string[], env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  if (args[0] !== 'profile' || args[1] !== 'move' || env[NODE_SECRET]) return {}
  try {
    return ownSecrets(env, [NODE_SECRET])
  } catch {
    return {}
  }
}

/** Runs `hermes ARGV` again out of reach of root's terminal. @returns its exit code. @throws Error with one line */
export async function awayFromRootsTerminal(
  install: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const { onOwnTerminal } = await import('../../src/cli/terminal/own-terminal.ts')
  return onOwnTerminal({ command: [join(install, 'bin', 'hermes'), ...argv], env, native: await native() })
}

const native = async () => (await (await import('../../src/system/native/native-libc.ts')).loadNative()).native
