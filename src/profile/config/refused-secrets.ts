/**
 * Secrets of the dashboard that the image does not accept from the volume: each gateway can write there, and could
 * grant itself access. The commands refuse them with the same text as the dashboard at its start.
 */
import { DASHBOARD_SECRETS, isClosedVariable } from '../../system/dashboard-secrets.ts'
import { HermesError } from '../../system/errors.ts'
import type { ConfigProblem } from './keys.ts'

/** @param variable such as `HERMES_DASHBOARD_PORT`. @returns its key in config.yaml: `dashboard.port` */
export const dashboardKey = (variable: string): string =>
  `dashboard.${variable.slice('HERMES_DASHBOARD_'.length).toLowerCase()}`

/** @param variable a secret that stands in the config.yaml of the volume. @returns what is wrong with it, for people */
export const refusedText = (variable: string): string =>
  `${dashboardKey(variable)} is refused, every gateway can write it; set ${variable} in the container's environment`

/** Secrets in the config.yaml of the default profile, as `config check` reports them in the image. */
export const refusedSecrets = (file: string, dashboard: Readonly<Record<string, string>>): readonly ConfigProblem[] =>
  DASHBOARD_SECRETS.filter((name) => dashboard[name] !== undefined).map((name) => ({
    file,
    key: '',
    message: refusedText(name),
  }))

/**
 * @param key the key being set, or its section
 * @param dashboard values from the edited config.yaml, by variable
 * @throws HermesError USAGE if the change sets a secret
 */
export function refuseSecretKey(key: string, dashboard: Readonly<Record<string, string>>): void {
  const variable = DASHBOARD_SECRETS.find(
    (name) => dashboard[name] !== undefined && `${dashboardKey(name)}.`.startsWith(`${key}.`),
  )
  if (variable === undefined) return
  throw refused(`${dashboardKey(variable)} is refused in config.yaml`, variable)
}

/** @throws HermesError USAGE for a variable that is taken from the container's environment alone */
export function refuseClosedVariable(name: string): void {
  if (isClosedVariable(name)) throw refused(`${name} is refused in .env`, name)
}

const refused = (what: string, variable: string): HermesError =>
  new HermesError('USAGE', `${what}: every gateway can write that file; nothing was changed`, {
    next: `set ${variable} in the container's environment: docker run -e ${variable}=…`,
  })
