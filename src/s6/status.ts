import type { ReadStatus } from '../protocol/s6.ts'
import { SIGNALS, signalName } from '../system/signals.ts'

/** `SIGTERM`; to s6 a real-time signal has no name, and is `SIG???`. */
export const signalText = (number: number): string =>
  `SIG${(number <= SIGNALS.SYS ? signalName(number) : undefined) ?? '???'}`

/** The service's own process is there (not its finish script's). */
export const isUp = ({ pid, finishing }: ReadStatus): boolean => pid !== null && !finishing
