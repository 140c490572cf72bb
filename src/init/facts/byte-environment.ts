import { rmSync, writeFileSync } from 'node:fs'
import { execWith, exportLines } from '../../system/programs/sh-environment.ts'
import { encodeBytes } from '../../system/text/byte-text.ts'
import type { Variables } from './environment.ts'

interface Start {
  readonly argv: readonly string[]
  readonly env: Variables
}

/**
 * The same start, with its environment preserved byte for byte. Node's spawn writes arguments and environment as
 * UTF-8, so a script exports values that are not UTF-8. Nearly every environment is text, and such a start is
 * unchanged.
 * @param script path of that script, readable only for us; in a directory that only we can write
 */
export function withBytes({ argv, env }: Start, script: string): Start {
  if (Object.values(env).every((value) => value.isWellFormed())) return { argv, env }
  const variables = Object.entries(env)
  const text = [...exportLines(variables), `${execWith(variables)} "$@"`]
  rmSync(script, { force: true })
  writeFileSync(script, encodeBytes(`${text.join('\n')}\n`), { mode: 0o400, flag: 'wx' })
  return { argv: ['/bin/sh', script, ...argv], env: env.PATH === undefined ? {} : { PATH: env.PATH } }
}
