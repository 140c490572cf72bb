/** Health of dispatching, as one word. */
import type { Decision } from './tick.ts'

export type DispatchVerdict = 'stuck' | 'busy' | 'idle'

/** Number of ticks in a row that should have started something but did not. */
const STUCK_TICKS = 3

/** Work that nothing but a failing start holds back. */
export const isStarved = ({
  report,
  reasons,
  boardFull,
}: Pick<Decision, 'report' | 'reasons' | 'boardFull'>): boolean =>
  boardFull === null &&
  report.spawned.length === 0 &&
  [...reasons.values()].some(({ why }) => why === 'spawn_failed' || why === 'unclear')

export const isBusy = ({ report, boardFull }: Pick<Decision, 'report' | 'boardFull'>): boolean =>
  boardFull !== null || report.skipped_per_profile_capped.length > 0 || (report.skipped_pool_capped?.length ?? 0) > 0

/**
 * @param starvedTicks in a row, including the last tick
 * @param overdue no tick for three intervals although a task could start
 */
export const verdictOf = (busy: boolean, starvedTicks: number, overdue: boolean): DispatchVerdict =>
  starvedTicks >= STUCK_TICKS || overdue ? 'stuck' : busy ? 'busy' : 'idle'
