/**
 * Variables that only the dashboard may see: knowing one of them is enough to log in there, to read its metrics, or to
 * steer the gateways of every node.
 */
export const DASHBOARD_SECRETS = [
  'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD',
  'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
  'HERMES_DASHBOARD_BASIC_AUTH_USERS',
  'HERMES_DASHBOARD_OAUTH_CLIENT_SECRET',
  'HERMES_METRICS_TOKEN',
  'HERMES_NODE_TOKEN',
] as const

/** All variables that the dashboard reads from the environment, secret or not. */
export const isDashboardVariable = (name: string): boolean =>
  name.startsWith('HERMES_DASHBOARD_') || /^HERMES_(METRICS|NODE)_TOKEN(_FILE)?$/.test(name)

/** One secret of all nodes, with which their dashboards ask each other. */
export const NODE_SECRET = 'HERMES_NODE_TOKEN'

/** Address of the board's database, with its password. For the dispatcher and the dashboard. */
export const DATABASE_SECRET = 'HERMES_KANBAN_DATABASE'

export const isDatabaseVariable = (name: string): boolean => /^HERMES_KANBAN_DATABASE(_FILE)?$/.test(name)

/** Variables that no gateway, no service and no program on a terminal gets. */
export const isClosedVariable = (name: string): boolean => isDashboardVariable(name) || isDatabaseVariable(name)

/** Secrets that init keeps in memory and hands over to single programs. */
const CLOSED_SECRETS: readonly string[] = [...DASHBOARD_SECRETS, DATABASE_SECRET]
export const isClosedSecret = (name: string): boolean => CLOSED_SECRETS.includes(name)

type Variables = Readonly<Record<string, string>>

/** Splits variables into those that everything in the container may see, and the secrets that init hands over. */
export function splitSecrets(variables: Variables): { readonly open: Variables; readonly secrets: Variables } {
  const entries = Object.entries(variables)
  return {
    open: Object.fromEntries(entries.filter(([name]) => !isClosedSecret(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => isClosedSecret(name))),
  }
}
