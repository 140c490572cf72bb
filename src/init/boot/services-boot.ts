import { existsSync, writeFileSync } from 'node:fs'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { MAX_TABLE_BYTES, parseServiceTable, type ServiceTable } from '../../services/table.ts'
import { describeEnding } from '../../slot/ending.ts'
import type { Level } from '../../system/level.ts'
import type { RunPaths } from '../../system/paths.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import type { Processes } from '../processes/processes.ts'

/** Places where an image defines services; if all are missing, no reader is started. */
const SOURCES = ['/etc/services.d', '/etc/s6-overlay/s6-rc.d', '/etc/hermes/services.yaml', '/etc/hermes/services.d']

/** The rules are the supervisor's; of them init looks at this one. */
export const isAwaited = (rules: Readonly<Record<string, unknown>>): boolean => rules.awaited === true

export interface ServicesBootOptions {
  readonly install: string
  readonly paths: Pick<RunPaths, 'environmentDir' | 'services'>
  readonly identity: RuntimeIdentity
  readonly uid: number
  readonly processes: Processes
  /** PATH of services that run as root. */
  readonly rootPath: string
  readonly log: (level: Level, text: string) => void
}

/**
 * Has a separate program read the image's services, which may load what init must not, and checks its output. The
 * supervisor's half goes into a file that only we can write.
 * @returns undefined: the image defines no services, or they could not be read, which is logged
 */
export async function loadServices(o: ServicesBootOptions): Promise<ServiceTable | undefined> {
  if (!SOURCES.some((path) => existsSync(path))) return undefined
  const table = await readServiceTable(o)
  if (typeof table === 'string') {
    o.log('error', `the services of this image cannot be read, none of them runs: ${table}`)
    return undefined
  }
  for (const problem of table.problems) o.log('warn', problem)
  const { rules, problems } = table
  writeFileSync(o.paths.services, JSON.stringify({ rules, problems }), { mode: 0o644, flag: 'wx' })
  return table
}

/** @returns the table, or a line that says why there is none */
export const readServiceTable = (o: ServicesBootOptions): Promise<ServiceTable | string> =>
  readTable(o).then(parseServiceTable, (error: Error) => error.message)

async function readTable({ install, paths, identity, uid, processes, rootPath }: ServicesBootOptions): Promise<string> {
  const facts = JSON.stringify({ environmentDir: paths.environmentDir, identity, uid, rootPath })
  const { text, ending } = await processes.output([...ownNode('services', install), facts], {
    env: ROOT_ENV,
    stderr: 2,
    maxChars: MAX_TABLE_BYTES,
  })
  if (!('exitCode' in ending) || ending.exitCode !== 0) throw new Error(`their reader ${describeEnding(ending)}`)
  return text
}
