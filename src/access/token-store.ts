import { dirname } from 'node:path'
import { changeAlone } from '../profile/change-file.ts'
import { replaceFile } from '../profile/replace-file.ts'
import { DASHBOARD_DIR } from '../protocol/handover.ts'
import type { Clock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import { makeRootDirectory } from '../system/files/root-directory.ts'
import { readSmallFile } from '../system/files/small-file.ts'
import type { Token } from './token.ts'
import { parseTokens, tokensText } from './token-list.ts'

/** Some three thousand tokens. */
export const MAX_TOKEN_BYTES = 1_000_000
const MODE = 0o600

/** @throws HermesError for a file that cannot be read or is damaged, and for a caller who is not root */
export function readTokens(file: string): readonly Token[] {
  requireRoot(file)
  const { text, problem } = readSmallFile(file, MAX_TOKEN_BYTES)
  const { tokens, problem: damage } = problem === undefined ? parseTokens(text) : { problem }
  if (tokens !== undefined) return tokens
  throw new HermesError('FAILED', `${file} ${damage}`, {
    next: 'until it is repaired, the dashboard refuses all API tokens; remove it, and create new ones',
  })
}

/**
 * Changes the list while no other command does. It is on the disk when the promise resolves.
 * @throws HermesError like {@link readTokens}, and for a file that cannot be written; what `change` throws
 */
export async function changeTokens<T>(
  file: string,
  clock: Clock,
  change: (tokens: readonly Token[]) => { readonly tokens: readonly Token[]; readonly result: T },
): Promise<T> {
  requireRoot(file)
  if (dirname(file) === DASHBOARD_DIR) {
    const problem = makeRootDirectory(DASHBOARD_DIR)
    if (problem !== undefined)
      throw new HermesError('FAILED', problem, { next: `mount a volume at ${DASHBOARD_DIR}; nothing was changed` })
  }
  return changeAlone(file, { clock, mode: MODE }, async () => {
    const { tokens, result } = change(readTokens(file))
    const text = tokensText(tokens)
    if (Buffer.byteLength(text) > MAX_TOKEN_BYTES)
      throw new HermesError('REFUSED', `${file} would be larger than ${MAX_TOKEN_BYTES} bytes`, {
        next: 'revoke tokens that are no longer used',
      })
    await replaceFile(file, text, MODE)
    return result
  })
}

function requireRoot(file: string): void {
  if (dirname(file) !== DASHBOARD_DIR || process.geteuid?.() === 0) return
  throw new HermesError('REFUSED', `the API tokens are in ${DASHBOARD_DIR}, which only root may read and change`, {
    next: 'run it as root, as docker exec does by itself: docker exec CONTAINER hermes token …',
  })
}
