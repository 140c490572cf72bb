import { lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** What the supervisor keeps in a slot's directory, and s6's tools look for when their argument is `.`. */
const OF_THE_SLOT = ['supervise', 'event', 'down']

/**
 * The working directory of a service that came as a service directory: as the one that defines it, which may be
 * read-only, but also a supervised one, so that `s6-svc -O .` works. It is ours, made of links: a program of root's
 * starts in nothing that others can write.
 * @param root below it lie the views, each under the whole path of its definition, so that `..` leads to where it would
 * there
 * @param slotDir the slot's directory in the scan directory
 * @returns its path
 * @throws the error of the file system
 */
export function serviceView(root: string, definition: string, slotDir: string): string {
  const view = join(root, definition)
  mkdirSync(view, { recursive: true, mode: 0o755 })
  for (const name of OF_THE_SLOT) link(join(slotDir, name), join(view, name))
  linkDefinition(root, definition)
  // A logger starts before the service that it is for, and reads that one's files by `..`.
  if (basename(definition) === 'log' && isService(dirname(definition))) linkDefinition(root, dirname(definition))
  return view
}

function linkDefinition(root: string, definition: string): void {
  for (const name of readdirSync(definition)) {
    // The logger in it is a service with a view of its own.
    if (!OF_THE_SLOT.includes(name) && !(name === 'log' && isService(join(definition, name))))
      link(join(definition, name), join(root, definition, name))
  }
}

function link(target: string, path: string): void {
  if (!isThere(path)) symlinkSync(target, path)
}

const isService = (dir: string): boolean => isThere(join(dir, 'run'))
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
