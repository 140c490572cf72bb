/** Limits for clients of the control socket. */
export interface ControlLimits {
  /** Beyond it, the connection that has been idle longest goes. */
  readonly connections: number
  /** Followed operations at once, over all connections; beyond it: an error. */
  readonly followers: number
  /** Requests of one connection that may be under way. */
  readonly requests: number
  /** Unfinished lines of all connections together; beyond it, the longest goes. */
  readonly unfinishedBytes: number
  /** Bytes that may wait for one reader before its events are dropped, and before no more of its requests are read. */
  readonly unreadBytes: number
  /** A begun request must be complete, and a reply must have been read, within this. */
  readonly requestTimeoutMs: number
  /** The same for the events of a follower: a terminal may be stopped with Ctrl-S for a while. */
  readonly followerTimeoutMs: number
  /** A connection without anything under way is closed after this. */
  readonly idleMs: number
}

export const defaultLimits: ControlLimits = {
  connections: 1500,
  followers: 100,
  requests: 32,
  unfinishedBytes: 16_000_000,
  unreadBytes: 256 * 1024,
  requestTimeoutMs: 10_000,
  followerTimeoutMs: 60_000,
  idleMs: 30_000,
}
