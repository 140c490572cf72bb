import { lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What the supervisor keeps in a slot's directory, and s6's tools look for where they are told `.`. */
const OF_THE_SLOT = ['supervise', 'event', 'down']

/**
 * The working directory of a service that came as a service directory: as the one that defines it, which may be read-only, but also a
 * supervised one, so that `s6-svc -O .` works. It is ours, made of links: a program of root's starts in nothing that others can write.
 * @param root below it lie the views, each under the whole path of its definition, so that `..` leads to where it would there
 * @param slotDir the slot's directory in the scan directory
 * @returns its path
 * @throws the error of the file system
 */
export function serviceView(root: string, definition: string, slotDir: string): string {
  const view = join(root, definition)
  mkdirSync(view, { recursive: true, mode: 0o755 })
  for (const name of OF_THE_SLOT) link(join(slotDir, name), join(view, name))
  for (const name of readdirSync(definition)) {
    // The logger in it is a service with a view of its own.
    if (!OF_THE_SLOT.includes(name) && !(name === 'log' && isThere(join(definition, name, 'run'))))
      link(join(definition, name), join(view, name))
  }
  return view
}

function link(target: string, path: string): void {
  if (!isThere(path)) symlinkSync(target, path)
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
