/** The identity of this node: `node.id` in the volume has a random id, and the name from the first start. */
import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { unlessCode } from '../../system/error-code.ts'
import { HermesError } from '../../system/errors.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import type { Environment } from '../../system/programs/install.ts'

export interface NodeIdentity {
  readonly id: string
  readonly name: string
}

const MAX_BYTES = 1000
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/

export const nodeFile = (home: string): string => join(home, 'node.id')

/** The identity that is in the volume; undefined: there is none yet. @throws HermesError FAILED */
export function readIdentity(home: string): NodeIdentity | undefined {
  const file = nodeFile(home)
  const { text, problem } = readSmallFile(file, MAX_BYTES)
  if (problem !== undefined) throw unusable(file, problem)
  if (text === undefined) return undefined
  const [id = '', name = ''] = text.split('\n')
  if (!ID.test(id) || !NAME.test(name)) throw unusable(file, 'does not have an id and a name, one a line')
  return { id, name }
}

/**
 * The identity of this node, which is made at its first start.
 * @param host whose name the node gets, if HERMES_NODE does not give one
 * @throws HermesError REFUSED for a name that cannot be one; FAILED: the file cannot be read or written
 */
export function identityOf(home: string, env: Environment, host: string): NodeIdentity {
  const wished = env.HERMES_NODE?.trim().toLowerCase() ?? ''
  if (wished !== '' && !NAME.test(wished))
    throw new HermesError('REFUSED', `HERMES_NODE: ${JSON.stringify(wished.slice(0, 80))} is not a name of a node`, {
      next: 'use 1 to 63 characters of a-z, 0-9, ".", "_" and "-", starting with a letter or digit',
    })
  const stored = readIdentity(home) ?? make(home, wished || nameOf(host))
  return wished === '' ? stored : { ...stored, name: wished }
}

function make(home: string, name: string): NodeIdentity {
  const file = nodeFile(home)
  const identity = { id: randomUUID(), name }
  try {
    replaceFileSync(file, `${identity.id}\n${identity.name}\n`, { mode: 0o600, durable: true })
  } catch (error) {
    throw unusable(file, (error as Error).message, error)
  }
  return identity
}

/** Names of hosts may have other characters and be longer. */
const nameOf = (host: string): string => {
  const name = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
  return NAME.test(name) ? name : 'node'
}

const unusable = (file: string, problem: string, cause?: unknown): HermesError =>
  new HermesError('FAILED', `${file}: ${problem}`, {
    next: 'let the runtime user read and write it; without it the node gets a new id, and its profiles on the board stay with the old one',
    ...(cause !== undefined && { cause }),
  })

/** Tells a volume from its copy: the boot of the machine, and the file's place on its disk. */
export function volumeMark(home: string): string {
  const boot = unlessCode(['ENOENT'], () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), '')
  const { dev, ino } = statSync(nodeFile(home))
  return `${boot}:${dev}:${ino}`
}
