/**
 * A service defined by the author of an image, from any of the sources /etc/services.d, /etc/s6-overlay/s6-rc.d and
 * /etc/hermes/services.yaml. Plain data; durations in ms. docs/services-internals.md describes which part each
 * process reads.
 */
import type { Announcement } from '../profile/config/kinds/kinds.ts'
import type { Dependency } from '../profile/config/kinds/program-kinds.ts'
import type { ProgramRules } from '../profile/config/program-keys.ts'
import type { SignalName } from '../system/signals.ts'

/** Services live in slots of this prefix: `service-nginx`. */
export const SERVICE_PREFIX = 'service-'
export const serviceSlot = (name: string): string => `${SERVICE_PREFIX}${name}`
/** @returns undefined for a slot that does not belong to a service */
export const serviceOfSlot = (slot: string): string | undefined =>
  slot.startsWith(SERVICE_PREFIX) ? slot.slice(SERVICE_PREFIX.length) : undefined

/** Allowed names of services: the slot's name must be a slot key. */
export const SERVICE_NAME = /^[a-z0-9][a-z0-9_-]{0,91}$/
export const isServiceName = (name: string): boolean => SERVICE_NAME.test(name)

/** Variable with the number of an instance, of a service with `replicas`. */
export const REPLICA = 'HERMES_REPLICA'

export interface ServiceUser {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly name: string
  readonly home: string
}

/** init's part: the programs and their user. The runtime user cannot change any of it. */
export interface ServicePrograms {
  readonly name: string
  /** `longrun` ends only when stopped; a oneshot succeeds by ending. */
  readonly oneshot: boolean
  /** Command line of the program; its first part is an absolute path. */
  readonly run: readonly string[]
  /** longrun: runs after each end, with s6's arguments added. oneshot: undoes it (s6-rc's `down`). */
  readonly finish?: readonly string[]
  /** Time limit of that program; absent: none. */
  readonly finishTimeoutMs?: number
  readonly cwd: string
  /** `cwd` is a service directory, and shows as a supervised one: s6's tools work on `.`. */
  readonly inServiceDir?: true
  /** Absent: as init itself, which is root. */
  readonly user?: ServiceUser
  /** Part of the container's environment that it inherits: with `path`, s6's rule, only PATH. */
  readonly inherits: 'path' | 'container'
  readonly variables: Readonly<Record<string, string>>
  /** Its standard input, or output, is the pipe of this name. */
  readonly reads?: string
  readonly writes?: string
  /** Stopped in falling order, so everything stops before what it depends on. 0: depends on nothing. */
  readonly depth: number
}

export type ServiceReadiness = { readonly by: 'alive' } | Announcement

/** The supervisor's half: when it runs. */
export interface ServiceRules extends ProgramRules {
  readonly name: string
  /** The file or directory that defines it. */
  readonly source: string
  readonly kind: 'longrun' | 'oneshot' | 'scheduled'
  /** Starts with the container; otherwise when another service needs it, or by command. */
  readonly start: boolean
  /** The main program waits for it. */
  readonly awaited: boolean
  readonly dependsOn: readonly Dependency[]
  readonly readiness: ServiceReadiness
  readonly readyAfterMs: number
  /** 0: no limit. */
  readonly startTimeoutMs: number
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly restartDelay: { readonly firstMs: number; readonly maxMs: number }
  readonly giveUpAfter: { readonly deaths: number; readonly withinMs: number } | null
  readonly stopSignal: SignalName
  readonly stopTimeoutMs: number
  /** It has a finish program, which may take so long. */
  readonly finishTimeoutMs: number | null
  readonly essential: boolean
  /** s6-rc's flag-essential: an operator cannot stop it. */
  readonly keep: boolean
  /** Five or six fields, as croner reads them; `scheduled` only. */
  readonly schedule: string | null
}

export interface ServiceDefinition {
  readonly rules: ServiceRules
  readonly programs: ServicePrograms
}

/** Something an author has to correct. The service it is about does not run; the others do. */
export interface ServiceProblem {
  /** Absent: about a file that holds several. */
  readonly service?: string
  readonly file: string
  readonly line?: number
  readonly key?: string
  /** The problem. */
  readonly message: string
  /** How to fix it. */
  readonly repair: string
}

/** One line for people, whatever names and values the author has put into it. */
export const problemText = ({ service, file, line, key, message, repair }: ServiceProblem): string => {
  const where = [file, line === undefined ? '' : `, line ${line}`, key === undefined ? '' : `, ${key}`].join('')
  return [service === undefined ? '' : `service ${service} is left out: `, `${where}: `, message, `; ${repair}`]
    .map(printable)
    .join('')
}

const LONGEST_PART = 500
/** Control characters would forge lines, or move a terminal's cursor. */
const printable = (text: string): string =>
  (text.length > LONGEST_PART ? `${text.slice(0, LONGEST_PART)}…` : text).replaceAll(
    /[\p{Cc}\u2028\u2029]/gu,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Time limit of a finish program: s6's default for `timeout-finish`. */
export const FINISH_TIMEOUT_MS = 5000

/** Values that none of the sources can change. */
export const DEFAULT_RULES = {
  start: true,
  awaited: false,
  dependsOn: [],
  readiness: { by: 'alive' },
  readyAfterMs: 0,
  startTimeoutMs: 60_000,
  restart: 'always',
  restartDelay: { firstMs: 1000, maxMs: 60_000 },
  giveUpAfter: null,
  stopSignal: 'TERM',
  stopTimeoutMs: 10_000,
  finishTimeoutMs: null,
  essential: false,
  keep: false,
  liveness: null,
  onStuck: null,
  memoryLimitBytes: null,
  maxAgeMs: null,
  watch: null,
  nice: null,
  rlimits: null,
  schedule: null,
} as const satisfies Partial<ServiceRules>
