import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** More files and directories are not looked at: each look takes some 20 µs for each. */
export const MOST_FILES = 1000

/** Files that programs and editors leave beside the sources. Paths that are named themselves are never left out. */
const LEFT_OUT = /^(\..*|.*~|node_modules|__pycache__)$/

/** Path → a text that changes with it. */
export type FilesLook = ReadonlyMap<string, string>

/**
 * Looks at files, and at all files below directories. Links to files are followed, as Kubernetes mounts them; links to
 * directories only where they are named themselves. Never rejects: a path that cannot be looked at has its error code.
 */
export async function lookAtFiles(paths: readonly string[]): Promise<FilesLook> {
  const found = new Map<string, string>()
  const open = paths.map((path) => ({ path, descend: true }))
  // The iterator of an array also visits elements added during the loop.
  for (const { path, descend } of open) {
    try {
      const facts = await stat(path)
      const isDirectory = facts.isDirectory()
      found.set(path, isDirectory ? 'directory' : `${facts.ino} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs}`)
      if (!isDirectory || !descend) continue
      for (const entry of await readdir(path, { withFileTypes: true }))
        if (!LEFT_OUT.test(entry.name) && open.length < MOST_FILES)
          open.push({ path: join(path, entry.name), descend: !entry.isSymbolicLink() })
    } catch (error) {
      found.set(path, `${(error as NodeJS.ErrnoException).code}`)
    }
  }
  return found
}

/** The first path that has come, gone or changed; undefined: none. */
export function changedFile(before: FilesLook, after: FilesLook): string | undefined {
  for (const [path, text] of after) if (before.get(path) !== text) return path
  for (const path of before.keys()) if (!after.has(path)) return path
  return undefined
}
