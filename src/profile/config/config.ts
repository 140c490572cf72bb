import { lstatSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { readOwnFile, readRegularFile } from '../../system/files/small-file.ts'
import type { SignalName } from '../../system/signals.ts'
import { type ConfigProblem, type ConfigValues, defaultValues, isConfigKey, type Ready } from './keys.ts'
import type { ForwardTarget } from './kinds/forward-kinds.ts'
import type { Budget, GiveUpAfter, OpenAiEndpoint } from './kinds/kinds.ts'
import type { NotifyTarget } from './kinds/notify-kinds.ts'
import type { Dependency, SecretSource, Secrets } from './kinds/program-kinds.ts'
import { readPlainLines } from './plain-lines.ts'
import { type ProgramRules, programRules } from './program-keys.ts'

/** Settings of a profile's gateway; durations in ms. */
export interface GatewayConfig extends ProgramRules {
  /** null: the built-in gateway. */
  readonly command: readonly string[] | null
  readonly env: Readonly<Record<string, string>>
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly restartDelay: { readonly firstMs: number; readonly maxMs: number }
  readonly forgetAfterMs: number
  readonly readyAfterMs: number
  readonly killLeftovers: boolean
  readonly giveUpAfter: GiveUpAfter | null
  readonly ready: Ready
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly stopSignal: SignalName
  readonly essential: boolean
  readonly dependsOn: readonly Dependency[] | null
  readonly schedule: string | null
  /** null: the runtime user. */
  readonly user: 'own' | null
}

export interface AgentConfig {
  readonly command: readonly string[] | null
  readonly openai: OpenAiEndpoint | null
  readonly pool: string | null
  /** Its requests go through the meter, by `agent.meter` or because there is a budget. */
  readonly metered: boolean
  /** Where the meter gets the key, if `secrets` has it: no slot of the profile does. */
  readonly keySecret: SecretSource | null
}

export interface LoggingConfig {
  readonly maxBytes: number
  readonly archives: number
}

/** The board's rules; read only from the default profile. */
export interface KanbanConfig {
  readonly defaultAssignee: string
  readonly maxInProgressPerProfile: number | null
  readonly maxInProgress: number | null
  readonly pools: Readonly<Record<string, number>>
  readonly failureLimit: number
  readonly dispatchInGateway: boolean
  readonly dispatchIntervalSeconds: number
  readonly dispatchStaleTimeoutSeconds: number
  readonly requireReview: boolean
  readonly labels: string
  readonly contextMaxBytes: number
  readonly attachmentMaxBytes: number
  readonly nodeLeaseMs: number
}

export interface ProfileConfig {
  readonly description: string
  /** Without those that are not valid, which are problems of the file. */
  readonly secrets: Secrets
  readonly gateway: GatewayConfig
  readonly agent: AgentConfig
  readonly budget: Budget | null
  readonly logging: LoggingConfig
  readonly kanban: KanbanConfig
  /** Where notifications go; read only from the default profile. */
  readonly notify: readonly NotifyTarget[]
  /** Where the lines of logs are sent; read only from the default profile. */
  readonly forward: readonly ForwardTarget[]
  /**
   * `HERMES_DASHBOARD_*` variable → its value in config.yaml; only those that are set. The variable takes precedence.
   */
  readonly dashboard: Readonly<Record<string, string>>
}

export type { ConfigProblem }

/** Result of loadConfig. */
export interface LoadedConfig {
  readonly config: ProfileConfig
  readonly problems: readonly ConfigProblem[]
}

/** Longest config.yaml that is read: everybody's supervisor waits while one profile's YAML is parsed. */
export const MAX_CONFIG_BYTES = 64 * 1024

/** Number of problems that are reported individually. */
const MAX_PROBLEMS = 20

export const defaultConfig = (): ProfileConfig => assemble(defaultValues())

/**
 * Reads a profile's config.yaml. Never throws: a missing file is all defaults, an unreadable one is defaults and a
 * problem, a wrong value is that key's default and a problem.
 * @param links `refused` where another user could make one
 */
export function loadConfig(file: string, links: 'followed' | 'refused' = 'followed'): LoadedConfig {
  let text: string
  try {
    text = (links === 'followed' ? readRegularFile : readOwnFile)(file, MAX_CONFIG_BYTES) ?? ''
  } catch (error) {
    return {
      config: defaultConfig(),
      problems: [{ file, key: '', message: `cannot be read: ${(error as Error).message}` }],
    }
  }
  return parseConfig(text, file)
}

/** Parses a text that was read already; `file` is only for the problems. */
export function parseConfig(text: string, file: string): LoadedConfig {
  try {
    const plain = readPlainLines(text)
    if (plain !== undefined) return { config: assemble(plain), problems: [] }
    const { values, problems } = yamlReader().readValues(text, file)
    const config = assemble(values, problems.some(isBudgetProblem))
    return { config, problems: firstOf(problems, file) }
  } catch (error) {
    // A profile's config.yaml must never bring down the supervisor, and with it all other gateways.
    const message = `cannot be understood: ${(error as Error).message}`
    return { config: defaultConfig(), problems: [{ file, key: '', message }] }
  }
}

/**
 * Wrong values of known keys are all reported: the table limits their number, and a default in effect must not stay
 * unnoticed.
 */
function firstOf(problems: readonly ConfigProblem[], file: string): readonly ConfigProblem[] {
  if (problems.length <= MAX_PROBLEMS) return problems
  const isKnown = (problem: ConfigProblem): boolean => isConfigKey(problem.key) || isSecretsProblem(problem)
  let room = MAX_PROBLEMS - problems.filter(isKnown).length
  const told = problems.filter((problem) => isKnown(problem) || room-- > 0)
  const more = problems.length - told.length
  return more === 0 ? told : [...told, { file, key: '', message: `and ${more} more` }]
}

/**
 * A text that changes whenever config.yaml does, so that it need not be read again. Never throws: a file that cannot
 * be examined (a loop of symlinks, a directory without access) has a signature too, and loadConfig reports the
 * problem.
 */
export function configSignature(file: string, links: 'followed' | 'refused' = 'followed'): string {
  try {
    const stat = (links === 'followed' ? statSync : lstatSync)(file, { throwIfNoEntry: false })
    return stat === undefined ? 'none' : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code}`
  }
}

/** Caches values of config.yaml files and reads them again only after a change. An unchanged file costs one stat. */
export class ConfigCache<T> {
  readonly #pick: (loaded: LoadedConfig) => T
  readonly #known = new Map<string, { readonly signature: string; readonly picked: T }>()

  /** @param pick called for what is read anew; what it gives is kept */
  constructor(pick: (loaded: LoadedConfig) => T) {
    this.#pick = pick
  }

  of(file: string, links: 'followed' | 'refused' = 'followed'): T {
    const signature = `${links} ${configSignature(file, links)}`
    const known = this.#known.get(file)
    if (known?.signature === signature) return known.picked
    const picked = this.#pick(loadConfig(file, links))
    this.#known.set(file, { signature, picked })
    return picked
  }

  /** The value as of the last read. */
  last(file: string): T | undefined {
    return this.#known.get(file)?.picked
  }

  forget(file: string): void {
    this.#known.delete(file)
  }
}

/** `config.yaml:3: gateway.restart: expected always, on-failure or never, got "sometimes"` */
export const configProblemText = (problem: ConfigProblem): string =>
  [
    problem.file + (problem.line === undefined ? '' : `, line ${problem.line}`),
    ...(problem.key === '' ? [] : [problem.key]),
    problem.message,
  ].join(': ')

/** The budget cannot be read, so nothing may be spent. */
export const isBudgetProblem = ({ key }: ConfigProblem): boolean =>
  key === 'budget' || key.startsWith('budget.') || key === 'agent.meter'

/** Keys whose wrong values the dispatcher reports itself (docs/kanban-caps.md); `config check` reports them too. */
export const isDispatchersProblem = ({ key }: ConfigProblem): boolean =>
  key === 'kanban.max_in_progress_per_profile' || key === 'kanban.default_assignee'

/** A gateway must not start without a secret that its configuration was meant to give it. */
export const isSecretsProblem = ({ key }: ConfigProblem): boolean => key === 'secrets' || key.startsWith('secrets.')

/**
 * The YAML parser is loaded only for a file that is more than plain lines; as a plain import it would cost every
 * supervisor and gateway.
 */
function yamlReader(): typeof import('./reader.ts') {
  // In a bundle, esbuild resolves this require and runs the module at the first call; elsewhere Node loads the
  // source.
  if (typeof require === 'function') return require('./reader.ts') as typeof import('./reader.ts')
  return createRequire(import.meta.url)('./reader.ts') as typeof import('./reader.ts')
}

/** A metered profile has an address and a token of the meter in these variables. */
const withoutKey = (secrets: Secrets, keyName: string): Secrets =>
  Object.fromEntries(
    Object.entries(secrets).filter(([name]) => ![keyName, 'OPENAI_API_KEY', 'OPENAI_BASE_URL'].includes(name)),
  )

/** @param isClosed a budget that cannot be read is not the same as none: the meter refuses until it is corrected */
function assemble(v: ConfigValues, isClosed = false): ProfileConfig {
  const metered = isClosed || v['agent.meter'] || v.budget !== null
  const keyName = v['agent.openai']?.apiKeyEnv ?? 'OPENAI_API_KEY'
  const dashboard: Record<string, string> = {}
  for (const [key, value] of Object.entries(v)) {
    if (!key.startsWith('dashboard.') || value === null) continue
    const name = key.slice('dashboard.'.length)
    dashboard[name === 'enabled' ? 'HERMES_DASHBOARD' : `HERMES_DASHBOARD_${name.toUpperCase()}`] = String(value)
  }
  return {
    description: v.description,
    secrets: metered ? withoutKey(v.secrets, keyName) : v.secrets,
    gateway: {
      command: v['gateway.command'],
      env: v['gateway.env'],
      restart: v['gateway.restart'],
      restartDelay: { firstMs: v['gateway.restart_delay.first'], maxMs: v['gateway.restart_delay.max'] },
      forgetAfterMs: v['gateway.forget_after'],
      readyAfterMs: v['gateway.ready_after'],
      killLeftovers: v['gateway.kill_leftovers'],
      giveUpAfter: v['gateway.give_up_after'],
      ready: v['gateway.ready'],
      startTimeoutMs: v['gateway.start_timeout'],
      stopTimeoutMs: v['gateway.stop_timeout'],
      stopSignal: v['gateway.stop_signal'],
      essential: v['gateway.essential'],
      dependsOn: v['gateway.depends_on'],
      schedule: v['gateway.schedule'],
      user: v['gateway.user'],
      ...programRules({
        liveness: v['gateway.liveness'],
        on_stuck: v['gateway.on_stuck'],
        memory_limit: v['gateway.memory_limit'],
        max_age: v['gateway.max_age'],
        watch: v['gateway.watch'],
        nice: v['gateway.nice'],
        rlimits: v['gateway.rlimits'],
      }),
    },
    agent: {
      command: v['agent.command'],
      openai: v['agent.openai'],
      pool: v['agent.pool'],
      metered,
      keySecret: (metered ? v.secrets[keyName] : undefined) ?? null,
    },
    budget: v.budget,
    logging: { maxBytes: v['logging.max_bytes'], archives: v['logging.archives'] },
    kanban: {
      defaultAssignee: v['kanban.default_assignee'],
      maxInProgressPerProfile: v['kanban.max_in_progress_per_profile'],
      maxInProgress: v['kanban.max_in_progress'],
      pools: v['kanban.pools'],
      failureLimit: v['kanban.failure_limit'],
      dispatchInGateway: v['kanban.dispatch_in_gateway'],
      dispatchIntervalSeconds: v['kanban.dispatch_interval_seconds'],
      dispatchStaleTimeoutSeconds: v['kanban.dispatch_stale_timeout_seconds'],
      requireReview: v['kanban.require_review'],
      labels: v['kanban.labels'],
      contextMaxBytes: v['kanban.context_max_bytes'],
      attachmentMaxBytes: v['kanban.attachment_max_bytes'],
      nodeLeaseMs: v['kanban.node_lease'],
    },
    notify: v.notify,
    forward: v.forward,
    dashboard,
  }
}
