/**
 * Profiles that are on their way to another node, or were when the command or a node ended. A directory in `profiles/`
 * with a dot name, which no profile can have, holds each of them.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { directoryEntries, FirstInOrder } from '../../system/files/directory.ts'
import { homePaths } from '../../system/paths.ts'
import { isProfileName } from '../names.ts'

export interface Remainder {
  /** Of the profile. */
  readonly name: string
  readonly dir: string
  /** `moving`: it is set aside on the node that it leaves; `arriving`: it is not complete on the new one. */
  readonly state: 'moving' | 'arriving'
}

/** The profile as its node has set it aside. */
export const movingDir = (home: string, name: string): string => join(homePaths(home).profiles, `.moving-${name}`)
/** The profile as it arrives at its new node. */
export const arrivingDir = (home: string, name: string): string => join(homePaths(home).profiles, `.arriving-${name}`)

const ENTRY = /^\.(moving|arriving)-(.+)$/
/** There is one for each command that was interrupted. */
const MAX_NAMED = 20

/** The first 20 of a home, by name. A directory that cannot be read has none. Never throws. */
export function moveRemainders(home: string): readonly Remainder[] {
  const found = new FirstInOrder<Remainder>(MAX_NAMED, (a, b) => a.name < b.name)
  const { profiles } = homePaths(home)
  try {
    for (const entry of directoryEntries(profiles)) {
      const [, state, name = ''] = ENTRY.exec(entry.name) ?? []
      if ((state !== 'moving' && state !== 'arriving') || !isProfileName(name)) continue
      found.add({ name, dir: join(profiles, entry.name), state })
    }
  } catch {
    // Missing or unreadable: whatever lists the profiles reports it.
  }
  return found.first
}

/** undefined: no profile of that name is on its way. Never throws. */
export function remainderOf(home: string, name: string): Remainder | undefined {
  const both = [
    { name, dir: movingDir(home, name), state: 'moving' },
    { name, dir: arrivingDir(home, name), state: 'arriving' },
  ] as const
  return isProfileName(name) ? both.find(({ dir }) => existsSync(dir)) : undefined
}

/** One sentence part about it, and what to type. */
export function remainderText({ name, dir, state }: Remainder): { readonly text: string; readonly next: string } {
  if (state === 'moving')
    return {
      text: `its move to another node is not finished, and it is set aside in ${dir}`,
      next: `hermes profile move ${name} --to NODE goes on, hermes profile move ${name} --cancel keeps it here`,
    }
  return {
    text: `it has not arrived from another node completely; what is here is in ${dir}`,
    next:
      `run hermes profile move ${name} --to this node again on the node it comes from; ` +
      `if it stays there, as hermes nodes shows, rm -r ${dir}`,
  }
}

/** A profile of that name would keep the other one from coming back. @throws HermesError EXISTS */
export function refuseUnfinished(home: string, name: string): void {
  const remainder = remainderOf(home, name)
  if (remainder === undefined) return
  const { text, next } = remainderText(remainder)
  throw new HermesError('EXISTS', `profile "${name}" exists already: ${text}`, { next })
}
