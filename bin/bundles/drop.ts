// Loaded by hermes.cjs and s6.cjs only for a root caller. The native binding and the terminal's part wait for the few
// commands that need them.
import { join } from 'node:path'
import { becomeUser, findIdentity, identitySources } from '../../src/cli/terminal/drop.ts'
import { wantsOwnTerminal } from '../../src/cli/terminal/shared-terminal.ts'
import { dropByNode } from '../../src/system/native/drop-by-node.ts'

/**
 * @param isShort the command ends within seconds, so it need not keep its limits from the runtime user, who can kill it
 * anyway
 * @returns variables to set; undefined if there is no user to become. @throws Error with one line for users
 */
export async function dropRoot(
  install: string,
  { isShort }: { readonly isShort: boolean },
): Promise<Readonly<Record<string, string>> | undefined> {
  const identity = findIdentity(identitySources(install))
  if (identity === undefined) return undefined
  // Node refuses to while io_uring may be used (UV_USE_IO_URING).
  if (isShort && process.env.UV_USE_IO_URING === undefined) return becomeUser(identity, { dropPrivileges: dropByNode })
  return becomeUser(identity, await native())
}

/**
 * Runs `hermes ARGV` again out of reach of root's terminal, if it is in reach now.
 * @returns its exit code; undefined: continue here. @throws Error with one line for users
 */
export async function awayFromRootsTerminal(
  install: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number | undefined> {
  if (findIdentity(identitySources(install)) === undefined || !wantsOwnTerminal(env)) return undefined
  const { onOwnTerminal } = await import('../../src/cli/terminal/own-terminal.ts')
  return onOwnTerminal({ command: [join(install, 'bin', 'hermes'), ...argv], env, native: await native() })
}

const native = async () => (await (await import('../../src/system/native/native-libc.ts')).loadNative()).native
