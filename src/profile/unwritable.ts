import { lstatSync } from 'node:fs'
import { type ExitCode, HermesError } from '../system/errors.ts'

/**
 * Message for a place that cannot be written until something outside is changed.
 * @param path the file or directory that was to be written
 * @returns undefined: `error` is another failure
 */
export function unwritable(path: string, error: unknown, exitCode?: ExitCode): HermesError | undefined {
  const { code = '' } = error as NodeJS.ErrnoException
  const options = { cause: error, ...(exitCode !== undefined && { exitCode }) }
  if (code === 'EROFS')
    return new HermesError('FAILED', `${path} cannot be written: it is on a read-only mount`, {
      ...options,
      next: 'mount it without ":ro", or change it on the host',
    })
  if (code !== 'EACCES' && code !== 'EPERM') return undefined
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()]
  const status = lstatSync(path, { throwIfNoEntry: false })
  const why =
    status === undefined || status.uid === uid
      ? `permission denied (${code})`
      : `it belongs to ${status.uid}:${status.gid} and this is ${uid}:${gid}; run: chown -R ${uid}:${gid} ${path}`
  // A slot that is parked shows the message alone.
  return new HermesError('FAILED', `${path} cannot be written: ${why}`, {
    ...options,
    next: 'then start it again; a restart of a container that runs as root gives it back, too',
  })
}
