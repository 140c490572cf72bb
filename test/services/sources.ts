import type { TreeDir, TreeFacts } from '../../src/services/facts.ts'

/** Path below a source directory, such as `web/dependencies.d/db`, → its text. */
export type Source = Readonly<Record<string, string>>

export const TREE_FACTS: TreeFacts = {
  keepEnvironment: false,
  waitForServices: false,
  commands: { execlineb: undefined, check: ([argument = '']) => ({ file: argument }) },
}

/** The directories of a source, as the reader finds them on disk. */
export function sourceDirs(source: Source): readonly TreeDir[] {
  const names = [...new Set(Object.keys(source).map((path) => path.split('/')[0] ?? ''))].sort()
  return names.map((name) => {
    const files: Record<string, string> = {}
    const lists: Record<string, string[]> = {}
    const programs: Record<string, { file: string }> = {}
    for (const [path, text] of Object.entries(source)) {
      const [dir, file = '', entry] = path.split('/')
      if (dir !== name) continue
      if (entry !== undefined) lists[file] = [...(lists[file] ?? []), ...(entry.startsWith('.') ? [] : [entry])]
      else if (file === 'run' || file === 'finish') programs[file] = { file: `/etc/x/${path}` }
      else files[file] = text
    }
    return { name, path: `/etc/x/${name}`, files, lists, programs }
  })
}
