/** Limits for one client. A half-open or idle connection costs about 10 KB. */
export const LIMITS = {
  /** From the connection, or the end of the previous answer, to the end of the headers. */
  headersTimeout: 10_000,
  /** Until the end of the body. */
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
} as const
export const MAX_CONNECTIONS = 2048
