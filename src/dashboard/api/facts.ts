import type { Peers } from '../../control/peers.ts'
import type { Supervised } from '../../control/slot-actions.ts'
import type { UsageSnapshot } from '../../control/slot-usage.ts'
import type { Installation } from '../../kanban/installation.ts'
import type { Boards } from '../../kanban/port/boards.ts'
import type { StatusResult } from '../../protocol/control.ts'
import type { OpenGate } from '../gate/guard.ts'
import type { Feed } from '../live/feed.ts'
import type { LogFollowers } from '../live/log-follower.ts'
import type { BeginStream } from '../live/streams.ts'

/** Everything that the handlers need. */
export interface ApiFacts extends Supervised, Installation {
  readonly version: string
  readonly boards: Boards
  /** The dashboards of other nodes. */
  readonly peers: Peers
  readonly gate: OpenGate
  /** HERMES_KANBAN_BOARD. */
  readonly board: string | undefined
  readonly feed: Feed
  readonly logs: LogFollowers
  readonly readUsage: (slots: StatusResult['slots']) => UsageSnapshot
  readonly warn: (text: string) => void
  readonly stream: BeginStream
}

export const askStatus = ({ connect }: Pick<ApiFacts, 'connect'>, timeoutMs = 5000): Promise<StatusResult> =>
  connect().then((client) => client.request('status', {}, { timeoutMs }).finally(() => client.close()))

/** Lines of output that no log file could take since the supervisor started. */
export const askLinesLost = ({ connect }: Pick<ApiFacts, 'connect'>, timeoutMs = 5000): Promise<number> =>
  connect().then((client) =>
    client
      .request('ping', {}, { timeoutMs })
      .then(({ linesLost = 0 }) => linesLost)
      .finally(() => client.close()),
  )
