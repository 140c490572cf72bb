import { readFileSync } from 'node:fs'
import type { ServiceRules } from '../../services/definition.ts'
import { unlessCode } from '../../system/error-code.ts'

export interface ImageServices {
  readonly rules: ReadonlyMap<string, ServiceRules>
  /** Problems in the definitions, for users. */
  readonly problems: readonly string[]
  /** Counts the definitions of this container's life: 0 are those of the boot. */
  readonly generation: number
  /** Names of services whose programs are not those of the generation before. */
  readonly differing: readonly string[]
}

const NONE: ImageServices = { rules: new Map(), problems: [], generation: 0, differing: [] }

/**
 * Reads init's file about the image's services: trusted, because only init can write it. Empty if there is no such
 * file.
 */
export function readServiceRules(file: string): ImageServices {
  const text = unlessCode(['ENOENT'], () => readFileSync(file, 'utf8'))
  if (text === undefined) return NONE
  const { rules, ...others } = JSON.parse(text) as Partial<Omit<ImageServices, 'rules'>> & { rules: ServiceRules[] }
  return { ...NONE, ...others, rules: new Map(rules.map((one) => [one.name, one])) }
}
