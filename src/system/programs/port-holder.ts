import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readProcess, readProcessList } from './proc.ts'

export interface PortHolder {
  readonly pid: number
  readonly program: string
  /** HERMES_PROFILE of its environment. */
  readonly profile: string | undefined
}

/** State of a listening socket in proc_net_tcp(5). */
const LISTEN = '0A'

/** The process that listens on a TCP port, as far as we may see it (our own user's processes). */
export function portHolder(port: number): PortHolder | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeners(table, port)))
  if (inodes.size === 0) return undefined
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name) && holdsOne(name, inodes)) return describe(Number(name))
  }
  return undefined
}

function listeners(table: string, port: number): readonly string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = (read(`/proc/net/${table}`) ?? '').split('\n').slice(1)
  return lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    return state === LISTEN && local.endsWith(`:${hex}`) ? [`socket:[${inode}]`] : []
  })
}

function holdsOne(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(linkOf(`/proc/${pid}/fd/${fd}`)))
  } catch {
    // Another user's, or gone: not for us to see.
    return false
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed in the meantime.
    return ''
  }
}

function describe(pid: number): PortHolder {
  const mark = 'HERMES_PROFILE='
  const profile = readProcessList(pid, 'environ')
    .find((entry) => entry.startsWith(mark))
    ?.slice(mark.length)
  return { pid, program: readProcess(pid)?.comm ?? 'a program', profile }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Gone, or not visible to us.
    return undefined
  }
}

/** Names the owner of a port, to follow "in use by". */
export function holderText(port: number): string {
  const holder = portHolder(port)
  if (holder === undefined) return 'another program'
  if (holder.profile === undefined) return `${holder.program} (pid ${holder.pid})`
  return `the gateway of profile "${holder.profile}" (pid ${holder.pid})`
}
