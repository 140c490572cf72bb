import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { findBoards } from '../../kanban/store/boards.ts'
import { readStoredKeys } from '../../profile/environment/auth-file.ts'
import { removeApiAddress, writeApiAddress } from '../../profile/state/api-address.ts'
import { type OpenRequests, removeOpenRequests, writeOpenRequests } from '../../profile/state/open-requests.ts'
import { EXIT } from '../../system/errors.ts'
import { ownSecrets } from '../../system/files/secret-file.ts'
import { truthy } from '../../system/markers.ts'
import { addressText } from '../../system/net/address.ts'
import { redactor, secretsOf } from '../../system/text/redact.ts'
import { secondsToMs } from '../../system/text/seconds.ts'
import { type Agent, AgentError } from '../agent/agent.ts'
import { configureAgent } from '../agent/configure.ts'
import type { Part, StartPart } from '../built-in.ts'
import { openSessions, type SessionStore } from '../sessions/store.ts'
import { apiSettings, misconfigured } from './http/settings.ts'
import { listen } from './listen.ts'
import { OpenRequestList } from './open-requests.ts'
import { createApiServer } from './server.ts'
import { addTask } from './tasks.ts'

declare const HERMES_VERSION: string

/**
 * The container's whole stop timeout, in seconds, as the supervisor passes it to its slots; the supervisor needs the
 * last 1.5 s itself.
 */
/** Of HERMES_STOP_TIMEOUT, as init has it. */
const DEFAULT_STOP_MS = 8000
const STOP_RESERVE_MS = 1500
/** We end before we are killed. */
const OWN_RESERVE_MS = 500

/** The API server as a part of the built-in gateway; undefined unless API_SERVER_ENABLED is truthy. */
export const startApi: StartPart = async (facts, config, { logger }): Promise<Part | undefined> => {
  const { env, profile, dir, clock } = facts
  const owner = { profile, dir }
  if (!truthy(env.API_SERVER_ENABLED)) return undefined
  const secrets = ownSecrets(env, ['API_SERVER_KEY'], EXIT.configuration)
  const settings = apiSettings({ ...env, ...secrets }, owner)
  if (settings === null) return undefined
  const log = logger.child({ component: 'api' })
  const warn = (text: string): void => log.warn(text)
  const agent = agentOf(() => configureAgent({ config: config.agent, profileDir: dir, environment: env, clock }))
  const boards = await findBoards(facts)
  let sessions: SessionStore | undefined
  const requests = new OpenRequestList({ clock, show: shownIn(dir, warn) })
  const api = createApiServer({
    agent,
    profile,
    configFile: join(dir, 'config.yaml'),
    clock,
    key: settings.key,
    origins: settings.origins,
    version: typeof HERMES_VERSION === 'string' ? HERMES_VERSION : '0.0.0',
    redact: redactor([...secretsOf({ ...env, ...secrets }), ...storedSecrets(dir)]),
    log,
    requests,
    sessions: () => {
      sessions ??= openSessions(dir, clock, warn)
      return sessions
    },
    createTask: (body) => addTask(body, { boards, profile, board: env.HERMES_KANBAN_BOARD, clock, warn }),
  })
  await listen(api.server, settings, owner, clock)
  const { host, port, key } = settings
  const bound = api.server.address() as AddressInfo
  // Without it the front port only says that the API is not there.
  const showAddress = (act: () => void): void => {
    if (!env.HERMES_FRONT_PORT) return
    try {
      act()
    } catch (error) {
      warn(`the front port cannot learn the address of the API: ${(error as Error).message}`)
    }
  }
  showAddress(() => writeApiAddress(dir, { host: bound.address, port: bound.port, keyed: key !== null }))
  log.info(
    `listening on http://${addressText({ host, port })}/v1, ${key === null ? 'without a key' : 'key needed'}, agent: ${agent?.kind ?? 'not configured'}`,
  )
  return {
    name: 'API server',
    async drain(timeoutMs) {
      const containerMs = (secondsToMs(env.HERMES_STOP_TIMEOUT) ?? DEFAULT_STOP_MS) - STOP_RESERVE_MS
      await api.drain(Math.max(0, Math.min(timeoutMs, containerMs) - OWN_RESERVE_MS))
    },
    close() {
      showAddress(() => removeApiAddress(dir))
      api.close()
      requests.close()
      sessions?.close()
      void boards.close()
    },
  }
}

/** For `health`: without the file, the gateway only shows less of what it does. */
const shownIn =
  (dir: string, warn: (text: string) => void) =>
  (requests: OpenRequests | undefined): void => {
    try {
      if (requests === undefined) removeOpenRequests(dir)
      else writeOpenRequests(dir, process.pid, requests)
    } catch (error) {
      warn(`open requests cannot be shown: ${(error as Error).message}`)
    }
  }

/** Starting again would not make a bad address a good one: exit 78. */
function agentOf(configure: () => Agent | null): Agent | null {
  try {
    return configure()
  } catch (error) {
    if (error instanceof AgentError) throw misconfigured(error.message, error.next ?? 'hermes config edit')
    throw error
  }
}

/** A broken auth.json is reported at the first question; here it only provides texts to redact. */
function storedSecrets(dir: string): readonly string[] {
  try {
    return Object.values(readStoredKeys(dir))
  } catch {
    return []
  }
}
