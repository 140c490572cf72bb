import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tryRunSync } from '../../../scripts/run.ts'

/**
 * A file system of its own, in memory.
 * @param size as tmpfs takes it
 * @returns undefined: we may not mount one
 */
export function memoryDisk(
  size = '2m',
): (Disposable & { readonly path: string; remount(flags: string): void; fill(): string }) | undefined {
  const path = mkdtempSync(join(tmpdir(), 'hermes-disk-'))
  if (tryRunSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).code !== 0) {
    rmSync(path, { recursive: true })
    return undefined
  }
  return {
    path,
    remount: (flags) => void tryRunSync('mount', ['-o', `remount,${flags}`, path]),
    /** Until there is no page left. @returns the file that holds them all */
    fill: () => {
      const ballast = join(path, 'ballast')
      tryRunSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096'])
      return ballast
    },
    [Symbol.dispose]() {
      tryRunSync('umount', [path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}
/** Why {@link memoryDisk} made none. */
export const NO_MOUNT = 'mounting a tmpfs needs root'
