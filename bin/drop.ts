// Loaded by hermes.cjs for a root caller only, so that nobody else pays for the native binding.
import { becomeUser, findIdentity, identitySources } from '../src/cli/drop.ts'
import { loadNative } from '../src/system/native-libc.ts'

/** @returns variables to set; undefined when there is nobody to become. @throws Error with one line for people */
export async function dropRoot(install: string): Promise<Readonly<Record<string, string>> | undefined> {
  const identity = findIdentity(identitySources(install))
  return identity && becomeUser(identity, (await loadNative()).native)
}
