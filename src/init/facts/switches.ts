import { truthy } from '../../system/markers.ts'
import type { Environment } from '../../system/programs/install.ts'

/** Variables that are on or off (docs/environment.md). */
const SWITCHES = [
  'HERMES_DASHBOARD',
  'HERMES_DASHBOARD_INSECURE',
  'HERMES_DASHBOARD_TUI',
  'HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL',
  'HERMES_DASHBOARD_PUBLIC_API',
  'HERMES_DOCKER_EXEC_AS_ROOT',
  'HERMES_GATEWAY_NO_SUPERVISE',
  'HERMES_ALLOW_ROOT_GATEWAY',
  'HERMES_ALLOW_NEW_PRIVS',
  'HERMES_LOG_PREFIX',
  'HERMES_NODE_INSECURE',
  'API_SERVER_ENABLED',
] as const

/**
 * One line per switch whose value is neither a yes nor a no: a typing error turns it off, while its author expects it
 * to be on.
 */
export const doubtfulSwitches = (env: Environment): readonly string[] =>
  SWITCHES.flatMap((name) => {
    const text = env[name] ?? ''
    if (text.trim() === '' || truthy(text) || /^(0|false|no|off)$/i.test(text.trim())) return []
    return [`${name}: expected 1, true, yes or 0, false, no, got "${text}"; it counts as no`]
  })
