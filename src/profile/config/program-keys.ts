/**
 * Keys that a gateway and a service have in common: below `gateway.` in config.yaml, and of a service in services.yaml.
 * This table is the reason why they mean the same in both.
 */

import { duration, type Kind, oneOf } from './kinds/kinds.ts'
import { type Liveness, liveness, niceness, type Rlimits, rlimits, size, watchedPaths } from './kinds/program-kinds.ts'

interface ProgramKey<T> {
  readonly kind: Kind<T>
  readonly help: string
}

const key = <T>(kind: Kind<T>, help: string): ProgramKey<T> => ({ kind, help })

/** All of them are optional; a program without one costs nothing for it. */
export const PROGRAM_KEYS = {
  liveness: key(
    liveness,
    'health check while it is up, with the defaults `every: 10s`, `timeout: 2s`; it is restarted after `failures: 3` in a row, or when it has printed no line for the time of `silence`',
  ),
  on_stuck: key(
    oneOf('report', 'restart'),
    'what to do when its `health` is stuck although no check of `liveness` fails: report shows it, restart also restarts it',
  ),
  memory_limit: key(size(1), 'restart it when it and its children use more memory than this'),
  max_age: key(
    duration(1),
    'restart it when it has been up for so long, or up to a tenth earlier, so that not all restart at once; not a death',
  ),
  watch: key(watchedPaths, 'files and directories of its directory; it is restarted when one has changed'),
  nice: key(niceness, 'priority of its processes: 0 is the usual one, 19 the lowest'),
  rlimits: key(rlimits, 'limits of its process, which its children inherit, as in setrlimit(2)'),
} satisfies Record<string, ProgramKey<unknown>>

export type ProgramKeyName = keyof typeof PROGRAM_KEYS
export type ProgramValue<K extends ProgramKeyName> = NonNullable<ReturnType<(typeof PROGRAM_KEYS)[K]['kind']['read']>>
/** Values as read; null or absent: not set. */
export type ProgramValues = { readonly [K in ProgramKeyName]?: ProgramValue<K> | null | undefined }

/** The rules that follow; null: none. */
export interface ProgramRules {
  readonly liveness: Liveness | null
  readonly onStuck: 'report' | 'restart' | null
  readonly memoryLimitBytes: number | null
  readonly maxAgeMs: number | null
  readonly watch: readonly string[] | null
  readonly nice: number | null
  readonly rlimits: Rlimits | null
}

export const programRules = (values: ProgramValues): ProgramRules => ({
  liveness: values.liveness ?? null,
  onStuck: values.on_stuck ?? null,
  memoryLimitBytes: values.memory_limit ?? null,
  maxAgeMs: values.max_age ?? null,
  watch: values.watch ?? null,
  nice: values.nice ?? null,
  rlimits: values.rlimits ?? null,
})
