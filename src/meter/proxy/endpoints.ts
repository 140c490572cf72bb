import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import {
  type ConfigProblem,
  configProblemText,
  configSignature,
  isBudgetProblem,
  isSecretsProblem,
  loadConfig,
} from '../../profile/config/config.ts'
import type { Budget } from '../../profile/config/kinds/kinds.ts'
import { readStoredKeys } from '../../profile/environment/auth-file.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from '../../profile/environment/environment.ts'
import { fetchSecrets } from '../../profile/environment/fetch-secrets.ts'
import { walledUid } from '../../profile/walled.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { trustedCertificates } from '../../system/net/certificates.ts'
import { below, gatewaySlot, profileDir } from '../../system/paths.ts'
import { type Refusal, refused } from '../refusals.ts'

/** Where a profile's requests go, as its files say at the moment. */
export interface ProfileEndpoint {
  /** Without a slash at its end. */
  readonly baseUrl: URL
  /** Undefined: the endpoint needs none. */
  readonly key: string | undefined
  readonly agent: HttpAgent | HttpsAgent
  readonly budget: Budget | null
}

export interface EndpointsOptions {
  readonly home: string
  readonly runDir: string
  readonly environmentDir: string
  readonly clock: Clock
}

interface Known {
  readonly signature: string
  readonly found: Promise<ProfileEndpoint | Refusal>
  /** When a key that is one of `secrets` is fetched again; absent: not before the files change. */
  readonly untilMs: number | undefined
}

const IDLE_SOCKET_MS = 15_000

/** The endpoints of all profiles. The key is read here and nowhere else; it never leaves this process but upstream. */
export class Endpoints {
  readonly #options: EndpointsOptions
  readonly #known = new Map<string, Known>()
  readonly #agents = new Set<HttpAgent | HttpsAgent>()

  constructor(options: EndpointsOptions) {
    this.#options = options
  }

  /** Unchanged files cost three stats. Requests at the same time fetch a key once. */
  of(profile: string): Promise<ProfileEndpoint | Refusal> {
    const dir = profileDir(this.#options.home, profile)
    const signature = ['config.yaml', '.env', 'auth.json'].map((name) => configSignature(below(dir, name))).join(' ')
    const known = this.#known.get(profile)
    const { clock } = this.#options
    const isFresh = known?.untilMs === undefined || clock.nowMs() < known.untilMs
    if (known?.signature === signature && isFresh) return known.found
    // The old one's connections end by themselves: requests on them are on their way.
    const { config, problems } = loadConfig(below(dir, 'config.yaml'))
    const found = this.#read(profile, dir, { config, problems })
    const refreshMs = config.agent.keySecret?.refreshMs ?? undefined
    this.#known.set(profile, {
      signature,
      found,
      untilMs: refreshMs === undefined ? undefined : clock.nowMs() + refreshMs,
    })
    void this.#replace(profile, known?.found, found)
    return found
  }

  /** An endpoint that could not be read is tried again with the next request. */
  async #replace(profile: string, old: Known['found'] | undefined, found: Known['found']): Promise<void> {
    const isUsable = await found.then(
      (read) => 'agent' in read,
      () => false, // a bug, which the request reports
    )
    if (!isUsable && this.#known.get(profile)?.found === found) this.#known.delete(profile)
    const before = await old?.catch(() => undefined)
    if (before !== undefined && 'agent' in before) this.#agents.delete(before.agent)
  }

  /** Ends requests that are on their way, too. */
  close(): void {
    for (const agent of this.#agents) agent.destroy()
  }

  async #read(
    profile: string,
    dir: string,
    { config, problems }: ReturnType<typeof loadConfig>,
  ): Promise<ProfileEndpoint | Refusal> {
    const { home, runDir, environmentDir, clock } = this.#options
    const file = below(dir, 'config.yaml')
    if (walledUid(home, profile) !== undefined)
      return refused(503, 'misconfigured', `profile "${profile}" is walled, and the meter cannot serve it yet`)
    const problem = problems.find(isFatal)
    if (problem !== undefined) return refused(503, 'misconfigured', configProblemText(problem))
    const { openai } = config.agent
    if (openai === null)
      return refused(
        503,
        'misconfigured',
        `profile "${profile}" has no endpoint: set agent.openai {base_url, model, api_key_env} in ${file}`,
      )
    const { variables } = slotEnvironment({
      slot: gatewaySlot(profile),
      profile,
      home,
      profileDir: dir,
      runDir,
      user: { name: '', home },
      path: [],
      container: readContainerEnvironment(environmentDir),
      dotEnv: readDotEnv(below(dir, '.env')).variables,
      gatewayEnv: config.gateway.env,
    })
    const environment: Record<string, string> = Object.fromEntries(variables.map(({ name, value }) => [name, value]))
    try {
      const { apiKeyEnv } = openai
      const { keySecret } = config.agent
      let key = environment[apiKeyEnv] || readStoredKeys(dir)[apiKeyEnv]
      if (keySecret !== null) {
        const secrets = { ...config.secrets, [apiKeyEnv]: keySecret }
        const fetched = await fetchSecrets({ secrets, dir, env: environment, clock, only: [apiKeyEnv] })
        key = fetched.values[apiKeyEnv]
        const failed = fetched.problems.find(({ name }) => name === apiKeyEnv)
        if (key === undefined)
          return refused(503, 'misconfigured', `secret ${apiKeyEnv}: ${failed?.problem ?? 'it has no value'}`)
      }
      const baseUrl = new URL(openai.baseUrl)
      baseUrl.pathname = baseUrl.pathname.replace(/\/+$/, '')
      const pool = { keepAlive: true, timeout: IDLE_SOCKET_MS, proxyEnv: environment }
      const agent =
        baseUrl.protocol === 'https:' ? new HttpsAgent({ ...pool, ca: trustedCertificates() }) : new HttpAgent(pool)
      this.#agents.add(agent)
      return { baseUrl, key, agent, budget: config.budget }
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      return refused(503, 'misconfigured', error.message)
    }
  }
}

/** A mistake that could send a request to the wrong place, with the wrong key or past a limit. */
const isFatal = (problem: ConfigProblem): boolean =>
  problem.key === '' || problem.key.startsWith('agent') || isBudgetProblem(problem) || isSecretsProblem(problem)
