import type { GatewayConfig } from '../../profile/config/config.ts'
import type { Dependency, Liveness, Secrets } from '../../profile/config/kinds/program-kinds.ts'
import type { ProgramRules } from '../../profile/config/program-keys.ts'
import type { JobSpec } from '../../protocol/control.ts'
import { LONGEST_MS } from '../../protocol/init.ts'
import { FINISH_TIMEOUT_MS, type ServiceReadiness, type ServiceRules } from '../../services/definition.ts'
import type { SlotPolicy } from '../../slot/slot.ts'

export type Readiness =
  | ServiceReadiness
  /** As `alive`, counted from the moment at which its secrets are there. */
  | { readonly by: 'fetched' }

/** How to run a slot, as of the last reading of its files. Kept with the slot's state. */
export interface Launch {
  readonly policy: SlotPolicy
  readonly readiness: Readiness
  readonly killLeftovers: boolean
  /** The container ends with this slot. */
  readonly essential: boolean
  /** When its running process has to be replaced; absent: nothing looks after it. */
  readonly health?: Health
  /** Slots that its start waits for; absent: none, or another part sees to them. */
  readonly dependsOn?: readonly Dependency[]
  /** Cron fields of a gateway that runs at times. */
  readonly schedule?: string
  /** Secrets that it fetches before it runs; absent: none. */
  readonly secrets?: Secrets
}

/** Rules for a process that is up. */
export interface Health {
  readonly liveness?: Liveness
  /** Reaction when it seems stuck by its activity. */
  readonly onStuck?: 'report' | 'restart'
  readonly memoryLimitBytes?: number
  readonly maxAgeMs?: number
  /** Absolute paths. */
  readonly watch?: readonly string[]
}

/** Empty without any rule: such a slot costs nothing. */
function healthOf({ liveness, onStuck, memoryLimitBytes, maxAgeMs, watch }: ProgramRules): Pick<Launch, 'health'> {
  const health = {
    ...(liveness && { liveness }),
    ...(onStuck && { onStuck }),
    ...(memoryLimitBytes && { memoryLimitBytes }),
    ...(maxAgeMs && { maxAgeMs }),
    ...(watch?.length && { watch }),
  }
  return Object.keys(health).length === 0 ? {} : { health }
}

/** Facts about a gateway or a helper besides its settings. */
export interface GatewayProgram {
  /** It is our own program and announces readiness: a newline on fd 3. */
  readonly announces: boolean
  /** Its slot directory contains a program `finish`. */
  readonly hasFinish: boolean
  readonly secrets?: Secrets
}

/** A profile's gateway, or a helper with the default settings. */
export function gatewayLaunch(gateway: GatewayConfig, { announces, hasFinish, secrets }: GatewayProgram): Launch {
  const { ready } = gateway
  const hasSecrets = secrets !== undefined && Object.keys(secrets).length > 0
  const unannounced: Readiness = announces ? { by: 'fd', fd: 3 } : { by: hasSecrets ? 'fetched' : 'alive' }
  const readiness = ready.by === 'auto' ? unannounced : ready
  return {
    policy: {
      ...policyOf(gateway, readiness),
      ...(gateway.schedule !== null && { kind: 'job' }),
      ...(hasFinish && { finish: { timeoutMs: FINISH_TIMEOUT_MS } }),
    },
    readiness,
    killLeftovers: gateway.killLeftovers,
    essential: gateway.essential,
    ...healthOf(gateway),
    ...(gateway.dependsOn !== null && { dependsOn: gateway.dependsOn }),
    ...(gateway.schedule !== null && { schedule: gateway.schedule }),
    ...(hasSecrets && { secrets }),
  }
}

const policyOf = (gateway: GatewayConfig, readiness: Readiness): SlotPolicy => ({
  kind: 'service',
  restart: gateway.restart,
  restartDelay: gateway.restartDelay,
  forgetAfterMs: gateway.forgetAfterMs,
  readiness: readiness.by === 'alive' ? 'alive' : 'announced',
  readyAfterMs: gateway.readyAfterMs,
  // The commands that fetch secrets have time limits of their own.
  startTimeoutMs: (readiness.by !== 'fetched' && gateway.startTimeoutMs) || LONGEST_MS,
  startTimeoutKey: 'gateway.start_timeout',
  stopSignal: gateway.stopSignal,
  stopTimeoutMs: gateway.stopTimeoutMs,
  giveUpAfter: gateway.giveUpAfter,
})

/** A service that the image defines. */
export const serviceLaunch = (rules: ServiceRules): Launch => ({
  policy: {
    kind: rules.kind === 'oneshot' ? 'oneshot' : rules.kind === 'scheduled' ? 'job' : 'service',
    restart: rules.restart,
    restartDelay: rules.restartDelay,
    // As gateway.forget_after, which it cannot set.
    forgetAfterMs: 5_000,
    readiness: rules.kind === 'oneshot' || rules.readiness.by !== 'alive' ? 'announced' : 'alive',
    readyAfterMs: rules.readyAfterMs,
    startTimeoutMs: rules.startTimeoutMs || LONGEST_MS,
    stopSignal: rules.stopSignal,
    stopTimeoutMs: rules.stopTimeoutMs,
    giveUpAfter: rules.giveUpAfter,
    ...(rules.finishTimeoutMs !== null && {
      finish: { timeoutMs: rules.finishTimeoutMs || LONGEST_MS, atStop: true },
    }),
  },
  readiness: rules.readiness,
  killLeftovers: true,
  essential: rules.essential,
  ...healthOf(rules),
})

/** A job runs once and is up as soon as its process exists; its end is its result. */
export const jobLaunch = (defaults: GatewayConfig, { stopTimeoutMs }: JobSpec): Launch => ({
  policy: {
    ...policyOf(defaults, { by: 'alive' }),
    kind: 'job',
    restart: 'never',
    readyAfterMs: 0,
    ...(stopTimeoutMs !== undefined && { stopTimeoutMs }),
  },
  readiness: { by: 'alive' },
  killLeftovers: true,
  essential: false,
})
