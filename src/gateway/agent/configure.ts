import { join } from 'node:path'
import type { AgentConfig } from '../../profile/config/config.ts'
import { readStoredKeys } from '../../profile/environment/auth-file.ts'
import { requireOwnDirectory } from '../../profile/walled.ts'
import type { Clock } from '../../system/clock.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { secondsToMs } from '../../system/text/seconds.ts'
import { type Agent, AgentError } from './agent.ts'
import { commandAgent } from './command.ts'
import { openAiAgent } from './openai.ts'
import { programNative } from './pipes.ts'

/** The meter may be starting, or starting again. */
const METER_STARTS_MS = 15_000

export interface AgentFacts {
  readonly config: AgentConfig
  readonly profileDir: string
  /** The profile's environment, as its gateway has it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
}

/** Longest system prompt. */
const MAX_SOUL_BYTES = 256 * 1024
/** HERMES_AGENT_TIMEOUT: time without a sign of life. */
const DEFAULT_SILENCE_MS = 600_000

/**
 * The profile's agent; null when none is configured. `agent.command` wins over `agent.openai`.
 * @throws AgentError misconfigured; HermesError REFUSED for a walled profile of another user
 */
export function configureAgent(facts: AgentFacts): Agent | null {
  const { config, profileDir, environment, clock } = facts
  requireOwnDirectory(profileDir)
  const silenceMs = secondsToMs(environment.HERMES_AGENT_TIMEOUT) ?? DEFAULT_SILENCE_MS
  if (config.command !== null) {
    let native: ReturnType<typeof programNative> | undefined
    return commandAgent({
      argv: config.command,
      cwd: profileDir,
      environment,
      clock,
      silenceMs,
      native: () => {
        native ??= programNative()
        return native
      },
    })
  }
  const { openai, metered } = config
  if (openai === null) return null
  if (metered) {
    const { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: token } = environment
    if (!baseUrl || !token) throw noMeter()
    return openAiAgent(
      {
        endpoint: { ...openai, baseUrl },
        key: () => token,
        environment,
        clock,
        silenceMs,
        patienceMs: METER_STARTS_MS,
      },
      () => soulOf(profileDir),
    )
  }
  // The environment first: what an operator set for this container wins over what was once typed into `hermes login`.
  const key = (): string | undefined => environment[openai.apiKeyEnv] || readStoredKeys(profileDir)[openai.apiKeyEnv]
  return openAiAgent({ endpoint: openai, key, environment, clock, silenceMs }, () => soulOf(profileDir))
}

const noMeter = (): AgentError =>
  new AgentError('misconfigured', 'the endpoint of this profile is reached through the meter, and there is none here', {
    next: 'start Hermes, or restart the gateway: the meter starts with the first gateway that has a budget or agent.meter',
  })

/** SOUL.md, read for each question so that an edit takes effect at once. Missing or unreadable: no system prompt. */
const soulOf = (profileDir: string): string =>
  readSmallFile(join(profileDir, 'SOUL.md'), MAX_SOUL_BYTES).text?.trim() ?? ''
