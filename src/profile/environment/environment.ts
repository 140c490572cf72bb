import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDashboardVariable, isDatabaseVariable } from '../../system/dashboard-secrets.ts'
import { unlessCode } from '../../system/error-code.ts'
import { readRegularBytes, readRegularFile } from '../../system/files/small-file.ts'
import { MAIN_MARKER, SUPERVISED_MARKER } from '../../system/markers.ts'
import { decodeBytes } from '../../system/text/byte-text.ts'
import { SECRET_NAMES_VARIABLE } from '../../system/text/redact.ts'
import { type DotEnv, parseDotEnv } from './dot-env.ts'
import { METER, type MeteredAccess, meterVariables } from './metered.ts'

export { truthy } from '../../system/markers.ts'

export interface EnvironmentVariable {
  readonly name: string
  readonly value: string
  /** Source of the value: `built-in`, `container`, `.env`, `config.yaml gateway.env`, `meter`, `supervisor`. */
  readonly source: string
}

export interface SlotEnvironment {
  /** Sorted by name; each name once. */
  readonly variables: readonly EnvironmentVariable[]
  readonly warnings: readonly string[]
}

type Variables = Readonly<Record<string, string>>

export interface SlotEnvironmentFacts {
  readonly slot: string
  /** The profile whose gateway (or job) runs here; null for helpers and services. */
  readonly profile: string | null
  /** The volume's top: HERMES_HOME in every slot. */
  readonly home: string
  /** The profile's directory; the volume's top for helpers. */
  readonly profileDir: string
  readonly runDir: string
  readonly user: { readonly name: string; readonly home: string }
  /** Directories that lead PATH. */
  readonly path: readonly string[]
  /** As returned by readContainerEnvironment. */
  readonly container: Variables
  /** The profile's `.env`, as readDotEnv gives it; empty for services. */
  readonly dotEnv: Variables
  /** `gateway.env` of config.yaml, a job's own variables. */
  readonly gatewayEnv: Variables
  /** Names of `secrets` in config.yaml: their values, which are fetched later, are not part of the result. */
  readonly secretNames?: readonly string[]
  /** How it reaches its endpoint, if the profile is metered. */
  readonly metered?: MeteredAccess | undefined
  /** More that the supervisor sets, such as HERMES_STOP_TIMEOUT; wins over everything. */
  readonly supervisor?: Variables
}

/** Used if the container sets no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const BUILT_IN: Variables = { PATH: DEFAULT_PATH, LANG: 'C.UTF-8' }

/**
 * Builds the environment of a slot's process, in order of precedence: built-in, container, `.env`, `gateway.env`,
 * `secrets`, meter, supervisor; for the default profile and helpers, the container's variables override `.env`. Pure.
 */
export function slotEnvironment(facts: SlotEnvironmentFacts): SlotEnvironment {
  const warnings: string[] = []
  const named = facts.profile !== null && facts.profile !== 'default'
  const container: Layer = ['container', named ? without(facts.container, isApiServer) : facts.container]
  const dotEnv: Layer = ['.env', facts.dotEnv]
  const layers: readonly Layer[] = [
    ['built-in', BUILT_IN],
    ...(named ? [container, dotEnv] : [dotEnv, container]),
    ['config.yaml gateway.env', facts.gatewayEnv],
  ]
  const secretNames = new Set(facts.secretNames)
  const variables = new Map<string, EnvironmentVariable>()
  for (const [source, values] of layers) {
    for (const [name, value] of Object.entries(values)) {
      // No gateway, and so no agent's tool, ever gets the secrets of the dashboard's log-in or of the database.
      if (isOurs(name) || isDatabaseVariable(name)) continue
      if (facts.slot !== 'dashboard' && isDashboardVariable(name)) continue
      if (secretNames.has(name)) {
        // A variable that the container has for all profiles may well be replaced for one of them.
        if (source !== 'container') warnings.push(`${facts.slot}: ${source}: ${name} ${IS_SECRET}`)
        continue
      }
      const problem = variableProblem(name, value, source === 'container')
      if (problem === undefined) variables.set(name, { name, value, source })
      else
        warnings.push(`${facts.slot}: ${source}: variable ${JSON.stringify(name.slice(0, 60))} is skipped: ${problem}`)
    }
  }
  for (const [name, value] of Object.entries(meterLayer(facts, variables)))
    variables.set(name, { name, value, source: METER })
  for (const [name, value] of Object.entries(supervisorLayer(facts, variables.get('PATH')?.value ?? DEFAULT_PATH))) {
    variables.set(name, { name, value, source: 'supervisor' })
  }
  return { variables: [...variables.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), warnings }
}

/** Takes the endpoint's key out, and gives the meter's address in its place. */
function meterLayer(
  { metered, container }: SlotEnvironmentFacts,
  variables: Map<string, EnvironmentVariable>,
): Variables {
  if (metered === undefined) return {}
  // Without a token neither address nor key: a program must not find another way out by chance.
  for (const name of [metered.apiKeyEnv, 'OPENAI_API_KEY', 'OPENAI_BASE_URL']) variables.delete(name)
  const given = Object.fromEntries([...variables.values()].map(({ name, value }) => [name, value]))
  return meterVariables(metered, { ...given, HERMES_METER_PORT: container.HERMES_METER_PORT ?? '' })
}

type Layer = readonly [source: string, values: Variables]

const IS_SECRET = 'is not used, because secrets in config.yaml has it, too; remove one of them'

function supervisorLayer(facts: SlotEnvironmentFacts, path: string): Variables {
  const rest = path.split(':').filter((dir) => dir !== '' && !facts.path.includes(dir))
  return {
    HERMES_HOME: facts.home,
    HERMES_RUN_DIR: facts.runDir,
    HERMES_SLOT: facts.slot,
    [SUPERVISED_MARKER]: '1',
    ...(facts.profile === null ? {} : { HERMES_PROFILE: facts.profile, HERMES_PROFILE_HOME: facts.profileDir }),
    HOME: facts.user.home,
    USER: facts.user.name,
    LOGNAME: facts.user.name,
    ...(facts.secretNames?.length && { [SECRET_NAMES_VARIABLE]: facts.secretNames.join(' ') }),
    PATH: [...facts.path, ...rest].join(':'),
    ...facts.supervisor,
  }
}

/** One port, one API server: the container's settings are the default profile's. */
const isApiServer = (name: string): boolean => name.startsWith('API_SERVER_')

/**
 * Marks that only init and the supervisor may set: a value from a file would make `gateway run` misjudge where it runs.
 */
const isOurs = (name: string): boolean => name === MAIN_MARKER || name === SUPERVISED_MARKER

const without = (values: Variables, drop: (name: string) => boolean): Variables =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !drop(name)))

/**
 * The run script exports by name in sh, so a name must be a shell name. dash refuses `export OPTIND=text` and would end
 * there.
 */
function variableProblem(name: string, value: string, isContainers: boolean): string | undefined {
  // Variables of the container are passed on unchanged; a name in a file may be a typing error.
  if (!isContainers && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return 'a name consists of letters, digits and _, and does not start with a digit'
  return value.includes('\0') ? 'its value contains a NUL byte' : undefined
}

/**
 * The variables that `.env` sets, by the same rules, in a process that has the rest already.
 * @param keep names that it cannot set
 */
export function dotEnvVariables(dotEnv: Variables, keep: readonly string[]): DotEnv {
  const warnings: string[] = []
  const kept = Object.entries(dotEnv).filter(([name, value]) => {
    if (isOurs(name) || isDatabaseVariable(name) || isDashboardVariable(name) || keep.includes(name)) return false
    const problem = variableProblem(name, value, false)
    if (problem !== undefined)
      warnings.push(`.env: variable ${JSON.stringify(name.slice(0, 60))} is skipped: ${problem}`)
    return problem === undefined
  })
  return { variables: Object.fromEntries(kept), warnings }
}

/** Maximum size of `.env`: more than fits into a process's environment and arguments, and quick to parse. */
const MAX_DOT_ENV_BYTES = 128 * 1024
/** Longest file of one variable in the container environment store. */
const MAX_VARIABLE_BYTES = 1_000_000

/** Reads a profile's `.env`. Never throws: what cannot be read is a warning. */
export function readDotEnv(file: string): DotEnv {
  try {
    return parseDotEnv(readRegularFile(file, MAX_DOT_ENV_BYTES) ?? '', file)
  } catch (error) {
    return { variables: {}, warnings: [`${file}: cannot be read, none of it is used: ${(error as Error).message}`] }
  }
}

/**
 * Reads the container environment store: one file per variable, containing the value and a newline (s6-overlay's
 * layout; users may add files). A missing directory means no variables; slotEnvironment reports invalid names.
 */
export function readContainerEnvironment(dir: string): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const name of namesIn(dir)) {
    if (name.startsWith('.')) continue
    try {
      variables[name] = decodeBytes(readRegularBytes(join(dir, name), MAX_VARIABLE_BYTES)).replace(/\n$/, '')
    } catch {
      // Unreadable, or not a file: not a variable. `hermes env` shows that it is missing.
    }
  }
  return variables
}

const namesIn = (dir: string): readonly string[] => unlessCode(['ENOENT'], () => readdirSync(dir).sort(), [])
