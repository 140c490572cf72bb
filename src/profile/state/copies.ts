import type { ProfileIdentity } from './gateway-state.ts'

/**
 * Finds directories that are copies (`cp -a`, an unpacked archive), by the names recorded in their files. A directory
 * is a copy if the directory with the recorded name has the same id. A renamed, moved or restored directory is not a
 * copy: its original is gone. Of several directories whose original is gone, only one can have been renamed: the
 * first by name. Device and inode change with every restore, so they prove nothing.
 * @param found directory name → facts from its files
 * @returns name of a copy → name of its original
 */
export function copiesAmong(found: ReadonlyMap<string, ProfileIdentity>): ReadonlyMap<string, string> {
  const copies = new Map<string, string>()
  const renamed = new Map<string, string>()
  for (const [dir, { id, name }] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (dir === name) continue
    const first = renamed.get(id)
    if (found.get(name)?.id === id) copies.set(dir, name)
    else if (first !== undefined) copies.set(dir, first)
    else renamed.set(id, dir)
  }
  return copies
}
