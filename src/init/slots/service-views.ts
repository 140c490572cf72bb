import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isThere } from '../../system/files/directory.ts'

/** Entries that the supervisor keeps in a slot's directory, where s6's tools look for them when called with `.`. */
const OF_THE_SLOT = ['supervise', 'event', 'down']

/**
 * The working directory of a service from a service directory: like its definition, which may be read-only, but also
 * a supervised directory, so that `s6-svc -O .` works. It belongs to us and consists of links: a program of root's
 * must not start in a directory that others can write.
 * @param root parent of the views, each under the whole path of its definition, so that `..` leads to the same place
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
    // A logger inside it is a service with its own view.
    if (!OF_THE_SLOT.includes(name) && !(name === 'log' && isService(join(definition, name))))
      link(join(definition, name), join(root, definition, name))
  }
}

function link(target: string, path: string): void {
  if (!isThere(path)) symlinkSync(target, path)
}

const isService = (dir: string): boolean => isThere(join(dir, 'run'))
