/** What a key of config.yaml takes. By plain code: a schema library would be a part of every boot, and slower at each file. */
import type { Kind, OpenAiEndpoint, Ready } from './keys.ts'
import {
  announcement,
  DURATION,
  GIVE_UP,
  giveUpAfter,
  hasOnly,
  isMap,
  parseDurationMs,
  READY,
  SIGNAL,
  signal,
  url,
  VARIABLES,
  variables,
  whole,
  whyNoAnnouncement,
  words,
} from './values.ts'

export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
export const OPENAI_KEY = 'OPENAI_API_KEY'

/** @param value what YAML gave; @returns the value in force, durations in ms; undefined: the key does not take it */
export function settingOf(kind: Kind, value: unknown): unknown {
  switch (kind.type) {
    case 'text':
    case 'secret':
      return typeof value === 'string' ? value : undefined
    case 'flag':
      return typeof value === 'boolean' ? value : undefined
    case 'whole':
      return whole(kind.text && isNumberText(value) ? Number(value) : value, kind.min, kind.max)
    case 'duration':
      return durationOf(value, kind.minMs)
    case 'word':
      return kind.words.find((word) => word === value)
    case 'argv':
      return words(value)
    case 'map':
      return variables(value)
    case 'signal':
      return signal(value)
    case 'ready':
      return value === 'auto' ? ({ by: 'auto' } satisfies Ready) : announcement(value)
    case 'give-up':
      return giveUpAfter(value)
    case 'openai':
      return openAi(value)
  }
}

const isNumberText = (value: unknown): boolean => typeof value === 'string' && /^\s*\d+\s*$/.test(value)

function durationOf(value: unknown, minMs: number): number | undefined {
  const ms = parseDurationMs(value)
  return ms !== undefined && ms >= minMs ? ms : undefined
}

function openAi(value: unknown): OpenAiEndpoint | undefined {
  if (!isMap(value) || !hasOnly(value, 'base_url', 'model', 'api_key_env')) return undefined
  const { base_url, model, api_key_env = OPENAI_KEY } = value
  const baseUrl = url(base_url)
  if (baseUrl === undefined || typeof model !== 'string' || model === '') return undefined
  if (typeof api_key_env !== 'string' || !VARIABLE_NAME.test(api_key_env)) return undefined
  return { baseUrl, model, apiKeyEnv: api_key_env }
}

/** What more can be said of a value that a key does not take. */
export const whyNot = (kind: Kind, value: unknown): string | undefined =>
  kind.type === 'ready' ? whyNoAnnouncement(value) : undefined

/** What a key takes, in words. */
export function expectation(kind: Kind): string {
  switch (kind.type) {
    case 'text':
    case 'secret':
      return 'text'
    case 'flag':
      return 'true or false'
    case 'whole':
      return `a whole number from ${kind.min} to ${kind.max}`
    case 'duration':
      return `${DURATION}${kind.minMs > 0 ? ', more than 0' : ''}`
    case 'word':
      return `${kind.words.slice(0, -1).join(', ')} or ${kind.words.at(-1)}`
    case 'argv':
      return 'a list of words such as [sh, -c, "exec my-program"]'
    case 'map':
      return VARIABLES
    case 'signal':
      return SIGNAL
    case 'ready':
      return `auto, ${READY}`
    case 'give-up':
      return GIVE_UP
    case 'openai':
      return '{base_url: a URL, model: a name, api_key_env: name of a variable}'
  }
}
