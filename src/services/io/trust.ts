import { accessSync, constants, lstatSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Fault } from '../facts.ts'

/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40
const GROUP_OR_OTHERS_WRITE = 0o022

export type Trusted = { readonly real: string; readonly status: Stats } | { readonly fault: Fault }

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')

/**
 * Whether what lies at a path is root's alone: it, every directory on its way, and every link that is followed. Then nobody else can
 * change what is there, now or later.
 * @returns where it really lies, or what is wrong; undefined: nothing is there
 */
export function trusted(path: string): Trusted | undefined {
  const rest = partsOf(path)
  let links = 0
  for (let at = '/'; ; ) {
    const status = lstatSync(at, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    if (status.isSymbolicLink()) {
      if (++links > MAX_LINKS) return { fault: { file: path, message: 'too many links', repair: 'take some away' } }
      const target = readlinkSync(at)
      rest.unshift(...partsOf(target))
      at = target.startsWith('/') ? '/' : dirname(at)
      continue
    }
    const fault = faultOf(at, status)
    if (fault !== undefined) return { fault }
    const next = rest.shift()
    if (next === undefined) return readable(at, status)
    if (!status.isDirectory()) return undefined
    at = next === '..' ? dirname(at) : join(at, next)
  }
}

function readable(real: string, status: Stats): Trusted {
  try {
    accessSync(real, status.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK)
    return { real, status }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return { fault: { file: real, message: `it cannot be read (${code})`, repair: `chmod a+r ${real}` } }
  }
}

function faultOf(path: string, { uid, mode }: Stats): Fault | undefined {
  if (uid !== 0)
    return {
      file: path,
      message: `it belongs to uid ${uid}, who could change what root runs`,
      repair: `chown root:root ${path}`,
    }
  if ((mode & GROUP_OR_OTHERS_WRITE) === 0) return undefined
  const octal = (mode & 0o7777).toString(8).padStart(4, '0')
  return { file: path, message: `others than root can write it (mode ${octal})`, repair: `chmod go-w ${path}` }
}
