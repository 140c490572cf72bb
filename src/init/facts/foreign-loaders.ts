import { trusted } from '../../system/files/trust.ts'
import type { Variables } from './environment.ts'

/**
 * Variables that the dynamic linker obeys in every program, including /bin/sh, before any line of ours runs; and the
 * separators of their values (ld.so(8)).
 */
const LINKER = { LD_PRELOAD: /[: ]/, LD_LIBRARY_PATH: /[:;]/, LD_AUDIT: /:/ } as const

/**
 * The container's environment lets the dynamic linker load what others than root can write. No script can prevent that.
 * @param home the volume: the runtime user's, or about to be
 * @returns one line for people; undefined: it does not
 */
export function foreignLoaders(environment: Variables, home: string): string | undefined {
  const named = Object.entries(LINKER).flatMap(([name, separator]) =>
    (environment[name] ?? '')
      .split(separator)
      .filter((path) => path !== '' && isForeign(path, home, name === 'LD_PRELOAD'))
      .map((path) => `${name} names ${path}`),
  )
  const [first, ...others] = named
  if (first === undefined) return undefined
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  return `${first}${more}, which others than root can change: every program that root starts in this container loads code from there, docker exec and health checks included. Name places that only root can write, or set the variable in gateway.env of a profile`
}

/** A library that LD_PRELOAD names without a slash is looked for in the system's directories. */
function isForeign(path: string, home: string, mayBeName: boolean): boolean {
  if (!path.startsWith('/')) return !mayBeName || path.includes('/')
  if (`${path}/`.startsWith(`${home}/`)) return true
  const found = trusted(path)
  return found !== undefined && 'fault' in found && found.fault.untrusted === true
}
