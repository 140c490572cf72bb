/** Everything that the notifier observes: slots as they change, the rest from time to time. */
import type { ControlClient } from '../../control/client.ts'
import type { Boards } from '../../kanban/port/boards.ts'
import { FileWatch } from '../../kanban/watch/board-watch.ts'
import { DatabaseWatch } from '../../kanban/watch/database-watch.ts'
import type { NotifyEvent, NotifyTarget } from '../../profile/config/kinds/notify-kinds.ts'
import type { Clock } from '../../system/clock.ts'
import type { Observed } from '../notification.ts'
import type { Note, Outbox } from '../outbox/outbox.ts'
import { BOARD_NOTES, BoardEvents } from '../watch/boards.ts'
import { BUDGET_NOTES, BudgetWatch } from '../watch/budgets.ts'
import { DISK_NOTE, freeBytesOf, lookAtDisk } from '../watch/disk.ts'
import { LOST_LINES_NOTE, lookAtLostLines } from '../watch/lost-lines.ts'
import { lookAtMemory, OOM_NOTE, oomKills } from '../watch/memory.ts'
import { lookAtNodes, NODE_NOTES } from '../watch/nodes.ts'
import { SLOT_NOTES, SlotWatch } from '../watch/slots.ts'

export interface ObserverFacts {
  readonly home: string
  readonly clock: Clock
  readonly boards: Boards
  readonly outbox: Pick<Outbox, 'notes' | 'note' | 'observe'>
  readonly targets: () => readonly NotifyTarget[]
  readonly connect: () => Promise<ControlClient>
  /** Keeps both or, where that fails, none: then it throws. */
  readonly keep: (notes: readonly Note[], observed: readonly Observed[]) => void
  readonly failed: (error: unknown) => void
}

export interface Observers {
  /** Follows the slots until `signal`. */
  follow(signal: AbortSignal): Promise<void>
  /** Called every second. Never rejects for an error that is expected. */
  poll(): Promise<void>
}

/** Time between two looks at what costs more than a look at a file's time. */
const RARE_MS = 10_000
const BEGUN = 'begun'

export function observers(facts: ObserverFacts): Observers {
  const { home, clock, boards, outbox, connect, keep, failed } = facts
  const notes = (prefix: string) => outbox.notes(prefix)
  const slots = new SlotWatch({ clock, connect, memory: notes(SLOT_NOTES), keep, failed })
  const tasks = new BoardEvents({
    boards,
    watch: boards.kept === 'files' ? new FileWatch(home) : new DatabaseWatch(boards, clock),
    read: notes(BOARD_NOTES),
    begunAtMs: begunAt(facts),
    wallMs: () => clock.wallMs(),
    keep,
    failed,
  })
  const budgets = new BudgetWatch(home, notes(BUDGET_NOTES))
  const isWanted = (event: NotifyEvent): boolean => facts.targets().some(({ events }) => events.includes(event))
  let rareAtMs = 0
  const rarely = async (): Promise<void> => {
    const wallMs = clock.wallMs()
    const free = isWanted('disk_full') ? freeBytesOf(home) : undefined
    if (free !== undefined) {
      const look = lookAtDisk(outbox.note(DISK_NOTE), free, home, wallMs)
      keep(look.notes, look.observed)
    }
    const kills = isWanted('oom') ? oomKills() : undefined
    const knownKills = outbox.note(OOM_NOTE)
    if (kills !== undefined && kills !== knownKills) {
      const look = lookAtMemory(knownKills, kills, await slots.killedSince(wallMs - 2 * RARE_MS), wallMs)
      keep(look.notes, look.observed)
    }
    if (isWanted('lines_lost')) {
      const ping = await slots.ping()
      if (ping !== undefined) {
        const look = lookAtLostLines(outbox.note(LOST_LINES_NOTE), ping, home, wallMs)
        keep(look.notes, look.observed)
      }
    }
    if (isWanted('budget')) {
      const look = budgets.look(wallMs)
      keep(look.notes, look.observed)
      budgets.kept(look.notes)
    }
    if (isWanted('node_lost') && boards.kept === 'database') {
      const look = lookAtNodes(notes(NODE_NOTES), await boards.nodes(), wallMs)
      keep(look.notes, look.observed)
    }
  }
  return {
    follow: (signal) => slots.follow(signal),
    async poll() {
      await slots.poll()
      await tasks.poll()
      if (clock.nowMs() < rareAtMs) return
      rareAtMs = clock.nowMs() + RARE_MS
      await rarely().catch(failed)
    },
  }
}

/** When notifications began in this volume, Unix ms. */
function begunAt({ outbox, clock }: ObserverFacts): number {
  const known = outbox.note(BEGUN)
  if (typeof known === 'number') return known
  const wallMs = clock.wallMs()
  outbox.observe([{ subject: BEGUN, value: wallMs }], [], [], { wallMs, node: undefined })
  return wallMs
}
