/** Pipelines of s6-rc: longruns of which one writes what the next one reads. Both sides have to say so. */
import type { TreeDir } from './facts.ts'
import { linesOf, onlyName, RefusedDefinition, refused } from './s6-files.ts'

/** One longrun's place among the others. */
export interface PipelineEnds {
  readonly writesTo?: string
  readonly readsFrom: readonly string[]
}

export interface Pipelines {
  readonly ends: ReadonlyMap<string, PipelineEnds>
  /** Services whose place in a pipeline is impossible, with the reason. */
  readonly faults: ReadonlyMap<string, RefusedDefinition>
  /** The members of each pipeline that has a name. */
  readonly named: ReadonlyMap<string, readonly string[]>
}

/**
 * @param longruns a oneshot's files of these names count for nothing
 * @param taken names of services and bundles
 */
export function pipelinesOf(longruns: readonly TreeDir[], taken: ReadonlySet<string>): Pipelines {
  const ends = new Map<string, PipelineEnds>()
  const faults = new Map<string, RefusedDefinition>()
  const named = new Map<string, readonly string[]>()
  const attempt = (dir: TreeDir, read: () => void): void => {
    try {
      read()
    } catch (error) {
      if (!(error instanceof RefusedDefinition)) throw error
      faults.set(dir.name, error)
    }
  }
  for (const dir of longruns)
    attempt(dir, () => {
      const writesTo = onlyName(dir, 'producer-for')
      ends.set(dir.name, {
        ...(writesTo !== undefined && { writesTo }),
        readsFrom: linesOf(dir, 'consumer-for') ?? [],
      })
    })
  for (const dir of longruns)
    attempt(dir, () => {
      const mine = ends.get(dir.name)
      if (mine !== undefined) checkOtherSides(dir, mine, ends)
    })
  for (const dir of longruns)
    attempt(dir, () => {
      const mine = ends.get(dir.name)
      // Only the last member may name the pipeline; s6-rc ignores the file in the others.
      if (mine === undefined || mine.writesTo !== undefined || mine.readsFrom.length === 0) return
      const name = onlyName(dir, 'pipeline-name')
      if (name === undefined) return
      if (taken.has(name) || named.has(name) || isReserved(name))
        throw refused(
          `${dir.path}/pipeline-name`,
          isReserved(name) ? `s6-rc keeps names such as ${name} to itself` : `${name} is the name of something else`,
          'give the pipeline another name',
        )
      named.set(name, membersUpTo(dir.name, ends))
    })
  return { ends, faults, named }
}

/** Names that s6-rc keeps for its own services. */
export const isReserved = (name: string): boolean => /^s6-?rc-/.test(name)

function checkOtherSides(dir: TreeDir, mine: PipelineEnds, ends: ReadonlyMap<string, PipelineEnds>): void {
  const { writesTo, readsFrom } = mine
  const notBack = (file: string, other: string, back: string): RefusedDefinition =>
    refused(
      `${dir.path}/${file}`,
      ends.has(other)
        ? `it names ${other}, which does not name it back`
        : `it names ${other}, which is not a longrun that runs`,
      `write ${dir.name} into ${back} of ${other}, or remove this file`,
    )
  if (writesTo !== undefined && !ends.get(writesTo)?.readsFrom.includes(dir.name))
    throw notBack('producer-for', writesTo, 'consumer-for')
  const stranger = readsFrom.find((name) => ends.get(name)?.writesTo !== dir.name)
  if (stranger !== undefined) throw notBack('consumer-for', stranger, 'producer-for')
}

/** The last of a pipeline and everything that writes into it, directly or not. */
function membersUpTo(last: string, ends: ReadonlyMap<string, PipelineEnds>): readonly string[] {
  const members = new Set([last])
  // The iterator of a Set also visits elements added during the loop.
  for (const reader of members) for (const writer of ends.get(reader)?.readsFrom ?? []) members.add(writer)
  return [...members]
}
