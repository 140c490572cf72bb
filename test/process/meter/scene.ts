// A profile whose requests go through the real meter, and a real server as its endpoint.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hermes as command } from '../../support/cli.ts'
import { startUpstream, type Upstream } from '../../support/dashboard/openai-upstream.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

/** The endpoint's key: nothing but the meter may have it. */
export const KEY = 'sk-neutral-0123456789abcdef'

export interface UsageJson {
  readonly groups: readonly (Readonly<Record<string, unknown>> & { readonly requests: number })[]
  readonly total: {
    readonly requests: number
    readonly uncounted_requests: number
    readonly input_tokens: number
    readonly output_tokens: number
    readonly usd?: number
  }
  readonly budgets: readonly { readonly profile: string; readonly spent: boolean; readonly spent_usd: number }[]
}

export interface MeterScene extends AsyncDisposable {
  readonly hermes: RunningHermes
  readonly upstream: Upstream
  readonly home: string
  /** The environment of the profile's gateway. */
  readonly env: Readonly<Record<string, string>>
  /** Sends a chat request as the gateway would. */
  ask(body?: Readonly<Record<string, unknown>>, options?: AskOptions): Promise<Response>
  cli(...args: readonly string[]): ReturnType<typeof command>
  usage(...args: readonly string[]): Promise<UsageJson>
  /** Of the meter's process that is ready. */
  meterPid(): Promise<number>
  /** Lines of the meter's log. */
  log(): string
}

export interface AskOptions {
  readonly path?: string
  readonly token?: string
  readonly signal?: AbortSignal
}

/** A question as a client sends it. */
const QUESTION = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] }

export async function startMeterScene(
  options: {
    readonly budget?: Readonly<Record<string, unknown>>
    /** Further keys of config.yaml. */
    readonly config?: Readonly<Record<string, unknown>>
    /** A home with its files, from a scene before. */
    readonly home?: string
    readonly upstream?: Upstream
    readonly env?: Readonly<Record<string, string>>
  } = {},
): Promise<MeterScene> {
  // Budgets begin anew at midnight UTC, and a test must not see that happen.
  const msToMidnight = () => 86_400_000 - (Date.now() % 86_400_000)
  await waitFor('midnight UTC to pass', () => msToMidnight() > 120_000, { deadlineMs: 180_000 })
  const home = options.home ?? quickScratchDir('hermes-meter-')
  const upstream = options.upstream ?? (await startUpstream())
  const { budget } = options
  const config = {
    gateway: {
      command: [
        'sh',
        '-c',
        'env >"$HERMES_HOME/env.$$" && mv "$HERMES_HOME/env.$$" "$HERMES_HOME/env"; exec sleep 100000',
      ],
    },
    agent: { openai: { base_url: upstream.baseUrl, model: 'gpt-4o', api_key_env: 'UP_KEY' }, meter: true },
    ...(budget && { budget }),
    kanban: { dispatch_interval_seconds: 1 },
    ...options.config,
  }
  writeFileSync(join(home, '.env'), `UP_KEY=${KEY}\n`, { mode: 0o600 })
  writeFileSync(join(home, 'config.yaml'), JSON.stringify(config))
  writeFileSync(join(home, 'desired_state'), 'running\n')
  writeFileSync(join(home, 'env'), '')
  const hermes = await startHermes({
    profiles: [],
    home,
    keepHome: true,
    env: { HERMES_METER_PORT: String(await freePort()), ...options.env },
  })
  const meterPid = (): Promise<number> =>
    waitFor(
      'the meter to be ready',
      async () => {
        const slot = await hermes.slot('meter')
        return slot?.state === 'up' && slot.ready && slot.pid
      },
      { deadlineMs: 60_000, more: async () => hermes.stderr() },
    )
  await meterPid()
  const text = await waitFor('the gateway to write its environment', () => readFileSync(join(home, 'env'), 'utf8'), {
    deadlineMs: 60_000,
  })
  const env = Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<
    string,
    string
  >
  const cli: MeterScene['cli'] = (...args) => command(args, { home, env: { HERMES_RUN_DIR: hermes.runDir } })
  return {
    hermes,
    upstream,
    home,
    env,
    meterPid,
    cli,
    log: () => readFileSync(join(home, 'logs', 'helpers', 'meter', 'current'), 'utf8'),
    ask: (body = {}, { path = 'chat/completions', token = env.OPENAI_API_KEY, signal } = {}) =>
      fetch(`${env.OPENAI_BASE_URL}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ ...QUESTION, ...body }),
        ...(signal && { signal }),
      }),
    async usage(...args) {
      const { code, stdout, stderr } = await cli('usage', '--json', ...args)
      if (code !== 0) throw new Error(`hermes usage: ${stderr}`)
      return JSON.parse(stdout) as UsageJson
    },
    async [Symbol.asyncDispose]() {
      await hermes[Symbol.asyncDispose]()
      if (options.upstream === undefined) await upstream[Symbol.asyncDispose]()
    },
  }
}
