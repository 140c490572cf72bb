// Loaded by hermes.cjs for a root caller only, so that nobody else pays for the native binding.
import { join } from 'node:path'
import { becomeUser, findIdentity, identitySources } from '../../src/cli/terminal/drop.ts'
import { onOwnTerminal } from '../../src/cli/terminal/own-terminal.ts'
import { loadNative } from '../../src/system/native/native-libc.ts'

/** @returns variables to set; undefined when there is nobody to become. @throws Error with one line for people */
export async function dropRoot(install: string): Promise<Readonly<Record<string, string>> | undefined> {
  const identity = findIdentity(identitySources(install))
  return identity && becomeUser(identity, (await loadNative()).native)
}

/**
 * Runs `hermes ARGV` again where root's terminal is not in reach, if it is now.
 * @returns its exit code; undefined: go on here. @throws Error with one line for people
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
