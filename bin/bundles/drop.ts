// Loaded by hermes.cjs only for a root caller, so that other callers do not pay for the native binding.
import { join } from 'node:path'
import { becomeUser, findIdentity, identitySources } from '../../src/cli/terminal/drop.ts'
import { onOwnTerminal } from '../../src/cli/terminal/own-terminal.ts'
import { loadNative } from '../../src/system/native/native-libc.ts'

/** @returns variables to set; undefined if there is no user to become. @throws Error with one line for users */
export async function dropRoot(install: string): Promise<Readonly<Record<string, string>> | undefined> {
  const identity = findIdentity(identitySources(install))
  return identity && becomeUser(identity, (await loadNative()).native)
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
  if (findIdentity(identitySources(install)) === undefined) return undefined
  const { native } = await loadNative()
  return onOwnTerminal({ command: [join(install, 'bin', 'hermes'), ...argv], env, native })
}
