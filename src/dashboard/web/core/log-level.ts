/** Which lines a level of the page's filter shows. */
import type { CoarseLevel } from '../../../log/line-facts.ts'

/** `all`: lines without a level too. */
export type LevelFilter = 'all' | 'info' | 'warn' | 'error'

const RANK: Readonly<Record<CoarseLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Lines that do not say their level are shown by `all` only. */
export const passes = (level: CoarseLevel | undefined, filter: LevelFilter): boolean =>
  filter === 'all' || (level !== undefined && RANK[level] >= RANK[filter])
