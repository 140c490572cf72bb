import { DASHBOARD_SECRETS, DATABASE_SECRET } from './dashboard-secrets.ts'
import { HermesError } from './errors.ts'

/** Variables whose value may be the content of a file instead, which `NAME_FILE` names. */
export const SECRET_VARIABLES = [...DASHBOARD_SECRETS, 'API_SERVER_KEY', DATABASE_SECRET] as const

/** The variable that names the file of a secret. */
export const fileVariable = (secret: string): string => `${secret}_FILE`

export interface SecretFiles {
  /** Name of the secret, such as `API_SERVER_KEY` → path of its file. */
  readonly files: Readonly<Record<string, string>>
  /** The variables that remain: without `NAME_FILE`, and without an empty `NAME` whose file is named. */
  readonly rest: Readonly<Record<string, string>>
}

/**
 * Splits the names of secret files off. An empty value counts as unset.
 * @throws HermesError if a secret is given twice, by value and by file
 */
export function splitSecretFiles(
  variables: Readonly<Record<string, string | undefined>>,
  secrets: readonly string[] = SECRET_VARIABLES,
): SecretFiles {
  const files: Record<string, string> = {}
  const without = new Set<string>()
  for (const secret of secrets) {
    const variable = fileVariable(secret)
    const path = variables[variable]
    without.add(variable)
    if (path === undefined || path === '') continue
    if (variables[secret])
      throw new HermesError('REFUSED', `${secret} and ${variable} are both set`, {
        next: `keep one: ${variable} for a secret in a file, ${secret} for its value`,
      })
    files[secret] = path
    without.add(secret)
  }
  const rest = Object.entries(variables).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !without.has(entry[0]),
  )
  return { files, rest: Object.fromEntries(rest) }
}
