import type { Ending, SignalName } from '../protocol/init.ts'

export type SlotState = 'down' | 'starting' | 'up' | 'stopping' | 'backoff' | 'parked'
export type Wanted = 'up' | 'down' | 'once'

/** The rules of one slot; durations in ms. */
export interface SlotPolicy {
  readonly kind: 'service' | 'job'
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly restartDelay: { readonly firstMs: number; readonly maxMs: number }
  readonly forgetAfterMs: number
  /** `alive`: ready after `readyAfterMs`. `announced`: by notification fd, log line or http; `startTimeoutMs` applies. */
  readonly readiness: 'alive' | 'announced'
  readonly readyAfterMs: number
  readonly startTimeoutMs: number
  readonly stopSignal: SignalName
  readonly stopTimeoutMs: number
  readonly giveUpAfter: { readonly deaths: number; readonly withinMs: number } | null
}

export type { Ending }
