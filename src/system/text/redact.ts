/** Names of variables whose values must stay secret. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|PRIVATE/i
/** Texts that look like keys, from any source. */
const SECRET_SHAPES = [/\b(?:sk|pk|rk)-[A-Za-z0-9_-]{12,}/g, /(?<=\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi]
/** Shorter values ("true", "8642") would black out half of every line. */
const SHORTEST_SECRET = 8
/** Of a value that is known to be a secret. */
const SHORTEST_KNOWN = 4

/** Names of the variables whose values came from `secrets` in config.yaml, separated by spaces. */
export const SECRET_NAMES_VARIABLE = 'HERMES_SECRETS'

export type Redact = (text: string) => string

/** `API_SERVER_KEY_FILE`: the value names a file, and errors about it must show it. */
const isPath = (name: string, value: string): boolean => name.endsWith('_FILE') && value.startsWith('/')

/** Values of an environment that must appear in no log, by the names of their variables. */
export function secretsOf(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = new Set(environment[SECRET_NAMES_VARIABLE]?.split(' '))
  return Object.entries(environment).flatMap(([name, value]) => {
    if (value === undefined) return []
    if (known.has(name)) return knownTexts(value)
    return value.length >= SHORTEST_SECRET && SECRET_NAME.test(name) && !isPath(name, value) ? [value] : []
  })
}

/** Also its lines one by one: a log line holds no line break. */
export const knownTexts = (secret: string): readonly string[] =>
  [...new Set([secret, ...secret.split(/\r?\n/)])].filter(({ length }) => length >= SHORTEST_KNOWN)

/** Blacks out these values, and what has the shape of a key. */
export function redactor(secrets: readonly string[]): Redact {
  // The longest first: one may be part of another.
  const known = secrets.filter((secret) => secret.length >= SHORTEST_KNOWN).sort((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const secret of known) clean = clean.replaceAll(secret, '[redacted]')
    for (const shape of SECRET_SHAPES) clean = clean.replace(shape, '[redacted]')
    return clean
  }
}
