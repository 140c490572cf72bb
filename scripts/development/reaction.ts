/** Reaction to a changed file. Only commands load src/cli and src/s6, and each command loads them anew. */
export type Reaction = 'build the page' | 'start again' | 'nothing'

const ONLY_COMMANDS = /^src\/(cli|s6)\//
const PAGE = 'src/dashboard/web/'

/**
 * @param files relative to the checkout
 * @param ofThePage what the last page was made of, likewise
 */
export function reactionsTo(files: readonly string[], ofThePage: ReadonlySet<string>): ReadonlySet<Reaction> {
  return new Set(
    files.flatMap((file): Reaction[] => {
      if (file.startsWith(PAGE)) return ['build the page']
      const program: Reaction = ONLY_COMMANDS.test(file) ? 'nothing' : 'start again'
      return ofThePage.has(file) ? ['build the page', program] : [program]
    }),
  )
}
