/** Texts for validation errors of a request, because zod/mini has none. Pure. */
import type * as z from 'zod/mini'

type Issue = z.core.$ZodIssue

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

/**
 * Describes what is wrong with a value, by its key: `body.password: expected text`.
 * @param what source of the value: `body`, `query`
 */
export function expectationText(what: string, issue: Issue | undefined): string {
  if (issue === undefined) return `${what}: invalid`
  // The best match of several shapes is unknown: use the first.
  const inner = issue.code === 'invalid_union' ? issue.errors[0]?.[0] : undefined
  if (inner !== undefined) return expectationText([what, ...issue.path].join('.'), inner)
  if (issue.code === 'unrecognized_keys')
    return `${[what, ...issue.path].join('.')}: unknown key ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
  return `${[what, ...issue.path.map(String)].join('.')}: ${expected(issue)}`
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'invalid_format':
      return `expected ${issue.format === 'regex' ? 'another form' : issue.format}`
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`
    case 'too_small':
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}`
    default:
      return 'not as expected'
  }
}

const unitOf = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '')
