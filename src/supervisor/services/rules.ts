import { readFileSync } from 'node:fs'
import type { ServiceRules } from '../../services/definition.ts'
import { unlessCode } from '../../system/error-code.ts'

export interface ImageServices {
  readonly rules: ReadonlyMap<string, ServiceRules>
  /** Problems in the definitions, for users. */
  readonly problems: readonly string[]
}

const NONE: ImageServices = { rules: new Map(), problems: [] }

/**
 * Reads init's file about the image's services: trusted, because only init can write it. Empty if there is no such
 * file.
 */
export function readServiceRules(file: string): ImageServices {
  const text = unlessCode(['ENOENT'], () => readFileSync(file, 'utf8'))
  if (text === undefined) return NONE
  const { rules, problems } = JSON.parse(text) as { rules: ServiceRules[]; problems: string[] }
  return { rules: new Map(rules.map((one) => [one.name, one])), problems }
}
