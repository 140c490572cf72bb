/** Describes a problem with an identity provider in one sentence for the operator. Pure. */

interface Fault {
  readonly error?: unknown
  readonly error_description?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly cause?: unknown
}

/** Number of levels in which openid-client wraps errors of oauth4webapi, fetch or the runtime. */
const MAX_CAUSES = 5

/**
 * Returns the provider's own error, or the problem with its answer; never a token, a code or a claim's value. The
 * outer error is general ("invalid response encountered"); the actual one is among its causes.
 */
export function reasonOf(error: unknown): string {
  const { error: code, error_description: text } = (error ?? {}) as Fault
  if (typeof code === 'string') return typeof text === 'string' ? `${code}: ${text}` : code
  const parts: string[] = []
  let at: unknown = error
  for (let depth = 0; depth < MAX_CAUSES && typeof at === 'object' && at !== null; depth += 1) {
    const { message, code: name, cause } = at as Fault
    if (typeof message === 'string') parts.push(message)
    else if (typeof name === 'string') parts.push(name)
    const facts = factsOf(at)
    if (facts !== '') parts.push(facts)
    at = cause
  }
  return [...new Set(parts)].join(': ') || String(error)
}

/** Returns those facts from the plain objects at the end of the causes that reveal nothing about a user. */
function factsOf(value: object): string {
  const { alg, header, expected, attribute, claim } = value as Readonly<Record<string, unknown>>
  const { alg: headerAlg } = (header ?? {}) as { alg?: unknown }
  const place = attribute ?? claim
  const facts = {
    alg: alg ?? headerAlg,
    at: place,
    // A subject, a nonce or a state is private; an issuer, an audience or an algorithm is not.
    expected: place === undefined || place === 'issuer' || place === 'iss' || place === 'aud' ? expected : undefined,
  }
  return Object.entries(facts)
    .flatMap(([name, fact]) => (isPlain(fact) ? [`${name} ${Array.isArray(fact) ? fact.join(', ') : fact}`] : []))
    .join(', ')
}

const isPlain = (fact: unknown): fact is string | readonly string[] =>
  (typeof fact === 'string' && fact !== '') ||
  (Array.isArray(fact) && fact.length > 0 && fact.every((one) => typeof one === 'string'))

/** The issuer that a provider names, if it differs from the one it was asked as. */
export function namedIssuer(error: unknown): string | undefined {
  let at: unknown = error
  for (let depth = 0; depth < MAX_CAUSES && typeof at === 'object' && at !== null; depth += 1) {
    const { attribute, body, cause } = at as { attribute?: unknown; body?: { issuer?: unknown }; cause?: unknown }
    if (attribute === 'issuer' && typeof body?.issuer === 'string') return body.issuer
    at = cause
  }
  return undefined
}
