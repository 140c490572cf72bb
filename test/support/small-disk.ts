import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of 2 MB; undefined: we may not mount one. */
export function smallDisk():
  | (Disposable & { readonly path: string; remount(flags: string): void; fill(): string })
  | undefined {
  const path = mkdtempSync(join(tmpdir(), 'hermes-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', path]).status !== 0) {
    rmSync(path, { recursive: true })
    return undefined
  }
  return {
    path,
    remount: (flags) => void spawnSync('mount', ['-o', `remount,${flags}`, path]),
    /** Until there is no page left. @returns the file that holds them all */
    fill: () => {
      const ballast = join(path, 'ballast')
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096'])
      return ballast
    },
    [Symbol.dispose]() {
      spawnSync('umount', [path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}
/** Why {@link smallDisk} made none. */
export const NO_MOUNT = 'mounting a tmpfs needs root'
