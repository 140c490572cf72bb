import { parse, parseDocument } from 'yaml'
import { HermesError } from '../../../system/errors.ts'
import { nearest } from '../../../system/text/nearest.ts'
import { configKeys } from '../keys.ts'
import { readValues } from '../reader.ts'
import { isTooDeep, MAX_YAML_DEPTH } from '../yaml-depth.ts'
import { NotSpliced, spliceYaml } from './splice.ts'

/**
 * Sets one key of a config.yaml; all other lines stay unchanged, byte for byte.
 * @param value as YAML: `never`, `30s`, `[sh, -c, "exec x"]`, `{fd: 3}`; `null` unsets
 * @throws HermesError USAGE for an unknown key or an invalid value; FAILED when `text` is not YAML, or has a shape in
 * which that key cannot be set without changing others
 */
export function setConfigValue(text: string, key: string, value: string): string {
  requireKnown(key)
  if (isTooDeep(text))
    throw new HermesError('FAILED', `config.yaml has more than ${MAX_YAML_DEPTH} levels`, {
      next: 'hermes config edit',
    })
  const document = parseDocument(text)
  if (document.errors[0]) {
    throw new HermesError('FAILED', `config.yaml is not YAML: ${document.errors[0].message.split('\n')[0]}`, {
      next: 'hermes config edit, then hermes config check',
    })
  }
  parseValue(key, value)
  const edited = splice(text, key, value)
  const problem = readValues(edited, 'config.yaml').problems.find(
    (p) => p.key === key || key.startsWith(`${p.key}.`) || p.key.startsWith(`${key}.`),
  )
  if (problem)
    throw new HermesError('USAGE', `${problem.key}: ${problem.message}`, {
      next: 'nothing was changed; see docs/configuration.md',
    })
  return edited
}

function splice(text: string, key: string, value: string): string {
  try {
    return spliceYaml(text, key.split('.'), value)
  } catch (error) {
    if (!(error instanceof NotSpliced)) throw error
    throw new HermesError('FAILED', `config.yaml cannot be changed for ${key}: ${error.message}; nothing was changed`, {
      next: 'hermes config edit',
      cause: error,
    })
  }
}

function requireKnown(key: string): void {
  const known = configKeys()
  // Below a key that holds a map (`gateway.env.PORT`), and a section as a whole (`gateway.restart_delay`), are fine
  // too.
  if (known.some((name) => name === key || key.startsWith(`${name}.`) || name.startsWith(`${key}.`))) return
  const near = nearest(key, known)
  throw new HermesError('USAGE', `config.yaml has no key "${key}"`, {
    next:
      near === undefined
        ? '"hermes config get" lists the keys'
        : `did you mean ${near}? hermes config get lists the keys`,
  })
}

/** @throws HermesError USAGE for a text that is not YAML */
export function parseValue(key: string, value: string): unknown {
  try {
    return parse(value)
  } catch (error) {
    throw new HermesError('USAGE', `the value for ${key} is not YAML: ${(error as Error).message.split('\n')[0]}`, {
      next: 'quote it: hermes config set KEY \'"text"\'',
      cause: error,
    })
  }
}
