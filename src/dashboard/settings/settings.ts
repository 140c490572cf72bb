import { join } from 'node:path'
import { loadConfig } from '../../profile/config/config.ts'
import { dashboardKey, refusedText } from '../../profile/config/refused-secrets.ts'
import { DASHBOARD_SECRETS, NODE_SECRET, splitSecrets } from '../../system/dashboard-secrets.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { ownSecrets } from '../../system/files/secret-file.ts'
import { truthy } from '../../system/markers.ts'
import { plainHost } from '../../system/net/address.ts'
import { type Environment, isImageInstall } from '../../system/programs/install.ts'
import { allowsClearText, tokenProblem } from '../../system/programs/node-access.ts'
import { decideGate } from '../gate/gate.ts'
import type { OpenGate } from '../gate/guard.ts'
import { parseProxies } from '../gate/proxies.ts'
import type { Outside } from '../gate/request-facts.ts'
import type { Handed } from './handover.ts'

/** `--host`, `--port`, `--insecure`. */
export interface DashboardOptions {
  readonly host?: string
  readonly port?: string
  readonly insecure?: boolean
}

export interface DashboardSettings {
  readonly host: string
  readonly port: number
  /** Decided once: nothing that happens later opens it. */
  readonly gate: OpenGate
  readonly publicApi: boolean
  readonly outside: Outside
  readonly terminal: boolean
  readonly metricsToken: string | undefined
  readonly nodeToken: string | undefined
  /** http may carry the node token beyond this machine. */
  readonly clearText: boolean
  /** Settings of the volume that are not taken, or that count although gateways can write them; a line each. */
  readonly warnings: readonly string[]
  /** Value of `HERMES_DASHBOARD_…`, by the part after the prefix; empty counts as unset. */
  readonly setting: (name: string) => string | undefined
}

/** @throws HermesError with exit code 78: starting again would not help; 1 for a secret file that is of no use */
export function readSettings(facts: {
  readonly env: Environment
  readonly home: string
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly options: DashboardOptions
  readonly handed?: Pick<Handed, 'secrets'>
}): DashboardSettings {
  const { env, home, install, options, handed } = facts
  const inImage = isImageInstall(install)
  const { values, warnings } = ofVolume({ home, inImage, env })
  const known: Environment = { ...env, ...handed?.secrets }
  // init has read the files of the container's environment; what is left are those of a dashboard started by hand.
  const given: Environment = { ...known, ...ownSecrets(known, DASHBOARD_SECRETS) }
  const setting = (name: string): string | undefined =>
    given[`HERMES_DASHBOARD_${name}`] || values[`HERMES_DASHBOARD_${name}`] || undefined
  const host = plainHost(options.host ?? setting('HOST') ?? (inImage ? '0.0.0.0' : '127.0.0.1'))
  const port = parsePort(options.port ?? setting('PORT') ?? '9119')
  const insecure = options.insecure === true || truthy(env.HERMES_DASHBOARD_INSECURE)
  const gate = decideGate({ host, port, insecure, hasWalls: Boolean(env.HERMES_PROFILE_UIDS), setting })
  if (gate.kind === 'refused') throw misconfigured(gate.why, gate.next)
  const publicApi = setting('PUBLIC_API')
  return {
    host,
    port,
    gate,
    publicApi: publicApi === undefined || truthy(publicApi),
    outside: { publicUrl: parsePublicUrl(setting('PUBLIC_URL')), isTrusted: trusted(setting('TRUSTED_PROXIES')) },
    terminal: truthy(setting('TUI')),
    metricsToken: given.HERMES_METRICS_TOKEN || undefined,
    nodeToken: nodeToken(given),
    clearText: allowsClearText(env),
    warnings,
    setting,
  }
}

/**
 * Settings from the volume, which every gateway can write. In the image they cannot grant access to anyone; other
 * settings are reported, because the operator may not have written them.
 */
function ofVolume({
  home,
  inImage,
  env,
}: {
  readonly home: string
  readonly inImage: boolean
  readonly env: Environment
}): {
  readonly values: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
} {
  const file = join(home, 'config.yaml')
  const { dashboard } = loadConfig(file).config
  if (!inImage) return { values: dashboard, warnings: [] }
  const { open, secrets } = splitSecrets(dashboard)
  const counting = Object.keys(open).filter((name) => name !== 'HERMES_DASHBOARD' && !env[name])
  return {
    values: open,
    warnings: [
      ...Object.keys(secrets).map((name) => `${file}: ${refusedText(name)}`),
      ...(counting.length === 0
        ? []
        : [
            `${file} decides ${counting.map(dashboardKey).join(', ')}, and every gateway can write it; ${counting.join(', ')} in the container's environment would win`,
          ]),
    ],
  }
}

export const misconfigured = (why: string, next: string): HermesError =>
  new HermesError('REFUSED', why, { next, exitCode: EXIT.configuration })

function nodeToken({ [NODE_SECRET]: token }: Environment): string | undefined {
  const problem = token ? tokenProblem(token) : undefined
  if (problem !== undefined) throw misconfigured(`${NODE_SECRET} ${problem}`, 'correct it, or leave it unset')
  return token || undefined
}

function parsePort(value: string): number {
  const port = Number(value)
  if (/^\d+$/.test(value) && port >= 1 && port <= 65_535) return port
  throw misconfigured(
    `HERMES_DASHBOARD_PORT: expected a port from 1 to 65535, got "${value}"`,
    'correct it, or leave it unset for 9119',
  )
}

function parsePublicUrl(value: string | undefined): URL | undefined {
  if (value === undefined) return undefined
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && !url.username)
    return url
  throw misconfigured(
    `HERMES_DASHBOARD_PUBLIC_URL: expected an http or https address, got "${value}"`,
    'use an address such as https://hermes.example or https://example.com/hermes',
  )
}

function trusted(value: string | undefined): Outside['isTrusted'] {
  try {
    return parseProxies(value)
  } catch (error) {
    throw misconfigured(`HERMES_DASHBOARD_TRUSTED_PROXIES: ${(error as Error).message}`, 'use the address of the proxy')
  }
}
