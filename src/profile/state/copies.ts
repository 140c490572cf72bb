import type { ProfileIdentity } from './gateway-state.ts'

/**
 * Directories that are copies (`cp -a`, an unpacked archive), by what their files say they were written for. A directory is a copy if
 * one of the recorded name with the same id is there, too. A renamed, moved or restored one is none: its original is gone. Of several
 * whose original is gone, one can have been renamed: the first by name. Device and inode change with every restore and say nothing.
 * @param found directory name → what its files say
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
