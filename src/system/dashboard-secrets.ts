/** Variables that only the dashboard may see: knowing one of them is enough to log in there, or to read its metrics. */
export const DASHBOARD_SECRETS = [
  'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD',
  'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
  'HERMES_DASHBOARD_OAUTH_CLIENT_SECRET',
  'HERMES_METRICS_TOKEN',
] as const

/** All variables that the dashboard reads from the environment, secret or not. */
export const isDashboardVariable = (name: string): boolean =>
  name.startsWith('HERMES_DASHBOARD_') || /^HERMES_METRICS_TOKEN(_FILE)?$/.test(name)

export const isDashboardSecret = (name: string): boolean => DASHBOARD_SECRETS.some((secret) => secret === name)

type Variables = Readonly<Record<string, string>>

/** Splits variables into those that everything in the container may see, and the dashboard's secrets. */
export function splitSecrets(variables: Variables): { readonly open: Variables; readonly secrets: Variables } {
  const entries = Object.entries(variables)
  return {
    open: Object.fromEntries(entries.filter(([name]) => !isDashboardSecret(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => isDashboardSecret(name))),
  }
}
