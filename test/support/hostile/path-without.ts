import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Fills a directory with links to every program on PATH but some: a PATH of a machine that does not have those.
 * @returns the directory
 */
export function pathWithout(dir: string, isLeftOut: (name: string) => boolean): string {
  mkdirSync(dir)
  const seen = new Set<string>()
  for (const place of (process.env.PATH ?? '').split(':').filter((one) => !one.includes('node_modules'))) {
    for (const name of namesIn(place)) {
      if (seen.has(name) || isLeftOut(name)) continue
      seen.add(name)
      symlinkSync(join(place, name), join(dir, name))
    }
  }
  return dir
}

const namesIn = (dir: string): readonly string[] => {
  try {
    return readdirSync(dir)
  } catch {
    return [] // a PATH may name what is not there
  }
}
