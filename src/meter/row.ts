/** One sum of the ledger: what one task of a profile has used of one model on one day. */
export interface UsageRow {
  /** `2026-11-30`, in UTC. */
  readonly day: string
  readonly profile: string
  /** The board and the id of a task; both empty for other requests. */
  readonly board: string
  readonly task: string
  readonly model: string
  /** Requests that were answered. */
  readonly requests: number
  /** Requests among them whose answer did not report its usage, or did not come to its end. */
  readonly uncounted: number
  readonly inputTokens: number
  /** The part of `inputTokens` that the provider had cached. */
  readonly cachedTokens: number
  readonly outputTokens: number
  /** Billionths of a US dollar. */
  readonly nanos: number
  /** Tokens of models without a price, which `nanos` leaves out. */
  readonly unpricedTokens: number
}
