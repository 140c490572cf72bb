import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import type { Environment } from '../../system/programs/install.ts'
import { fileVariable, SECRET_VARIABLES } from '../../system/secret-variables.ts'
import { configProblemText, isSecretsProblem, loadConfig } from '../config/config.ts'
import { requireOwnUser } from '../walled.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from './environment.ts'
import { fetchSecrets } from './fetch-secrets.ts'
import { issueOwnToken, meteredAccess } from './metered.ts'

export interface OwnEnvironmentFacts {
  readonly profile: string
  readonly dir: string
  readonly home: string
  readonly install: string
  readonly runDir: string
  /** The container environment store; what this process has wins over it (`docker exec -e`). */
  readonly environmentDir?: string
  /** Where the slots' directories lie; absent: there is no meter to ask. */
  readonly scanDir?: string
  readonly env: Environment
  readonly clock: Clock
}

/**
 * The environment of the profile's gateway with its secrets, for programs outside a slot: a gateway started by hand,
 * `hermes chat`.
 * @throws HermesError REFUSED for a walled profile of another user; FAILED when a secret is not valid or cannot be
 * fetched
 */
export async function ownEnvironment(facts: OwnEnvironmentFacts): Promise<{
  readonly environment: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
}> {
  const { profile, dir, home, install, runDir, environmentDir, env, clock } = facts
  requireOwnUser(home, profile)
  const stored = environmentDir === undefined ? {} : readContainerEnvironment(environmentDir)
  // `docker exec` brings the container's API_SERVER_KEY_FILE, whose content init has put into the store.
  const isRead = new Set(SECRET_VARIABLES.filter((name) => name in stored).map(fileVariable))
  const own = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isRead.has(entry[0]),
  )
  const dotEnv = readDotEnv(join(dir, '.env'))
  const file = join(dir, 'config.yaml')
  const { config, problems } = loadConfig(file)
  const invalid = problems.find(isSecretsProblem)
  if (invalid !== undefined)
    throw new HermesError('FAILED', configProblemText(invalid), {
      exitCode: EXIT.configuration,
      next: `hermes -p ${profile} config edit`,
    })
  const { variables, warnings } = slotEnvironment({
    slot: gatewaySlot(profile),
    profile,
    home,
    profileDir: dir,
    runDir,
    user: { name: env.USER ?? ownName(), home: env.HOME ?? home },
    path: [join(install, 'bin')],
    container: { ...stored, ...Object.fromEntries(own) },
    dotEnv: dotEnv.variables,
    gatewayEnv: config.gateway.env,
    secretNames: Object.keys(config.secrets),
    metered: meteredAccess(profile, config.agent, () => ownToken(facts)),
  })
  const environment = Object.fromEntries(variables.map(({ name, value }) => [name, value]))
  const fetched = await fetchSecrets({ secrets: config.secrets, dir, env: environment, clock })
  const [failed] = fetched.problems
  if (failed !== undefined)
    throw new HermesError('FAILED', `secret ${failed.name}: ${failed.problem}`, {
      next: `${failed.next}, or correct secrets.${failed.name} in ${file}`,
    })
  return { environment: { ...environment, ...fetched.values }, warnings: [...dotEnv.warnings, ...warnings] }
}

/** Undefined where no meter has run: without one, a metered profile reaches nothing. */
function ownToken({ profile, scanDir, env }: OwnEnvironmentFacts): string | undefined {
  if (scanDir === undefined) return undefined
  const { HERMES_KANBAN_TASK: task, HERMES_KANBAN_BOARD: board } = env
  const holder = { profile, ...(task && { task }), ...(task && board && { board }) }
  return unlessCode(['ENOENT', 'EACCES', 'ENOTDIR'], () => issueOwnToken(scanDir, process.pid, holder), undefined)
}

/** Our name as the accounts have it, or our number: where USER is not set, as in cron. */
export function ownName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.()) // no user has this id
  }
}
