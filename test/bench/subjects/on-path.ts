import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** The program's file, looked up as a shell does; `further` directories come after PATH's. */
export function onPath(name: string, further: readonly string[] = []): string | undefined {
  return [...(process.env.PATH ?? '').split(':'), ...further]
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, name))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // whatever the reason, it cannot be run
  }
}
