/** The two ends of a profile's move between nodes: the archive of one that was set aside, and its arrival here. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { addSlotOf } from '../../control/profile-actions.ts'
import type { Moves } from '../../kanban/port/moves.ts'
import type { Node } from '../../kanban/port/nodes.ts'
import { packProfile } from '../../profile/archive/pack.ts'
import { unpackProfile } from '../../profile/archive/unpack.ts'
import { putInPlace, removeAside } from '../../profile/directory/moving.ts'
import { arrivingDir, movingDir } from '../../profile/directory/remainders.ts'
import { refuseDefault, refuseTaken } from '../../profile/directory/remove.ts'
import { parseProfileName } from '../../profile/names.ts'
import { HermesError } from '../../system/errors.ts'
import { isThere } from '../../system/files/directory.ts'
import type { Handlers } from '../contract/handler.ts'
import { conflict, notFound, refusalOf } from '../gate/refusals.ts'
import { frame, type Viewer } from '../live/viewer.ts'
import type { ApiFacts } from './facts.ts'

/** Facts of this machine and life; the new node makes its own. */
const STAYS_HERE = ['gateway.pid']
/** Between two reports of progress. */
const REPORT_BYTES = 4_000_000

export function moveHandlers(facts: ApiFacts): Pick<Handlers, 'nodeArchive' | 'nodeTake'> {
  const { home, boards } = facts
  /** Profiles that are arriving. */
  const busy = new Set<string>()
  return {
    nodeArchive: async ({ params, outgoing }) => {
      const name = parseProfileName(params.name ?? '')
      const dir = movingDir(home, name)
      if (!isThere(dir)) throw notFound(`profile "${name}" is not being moved from this node`)
      outgoing.writeHead(200, { 'Content-Type': 'application/x-tar', 'Cache-Control': 'no-store' })
      // A failure cuts the archive off, which the other node sees.
      await pipeline(packProfile(dir, name, STAYS_HERE), outgoing).catch((error) =>
        facts.warn(`the archive of profile "${name}": ${(error as Error).message}`),
      )
      return { stream: true }
    },
    nodeTake: async (call) => {
      const name = parseProfileName(call.params.name ?? '')
      refuseDefault(name, 'moved')
      const moves = boards.moves()
      const from = (await boards.nodes()).find(({ id }) => id === call.body.from)
      if (moves === undefined || from === undefined) throw notFound('no such node shares the board of this one')
      const { epoch } = call.body
      if (epoch === undefined) {
        await refuseTaken(home, name)
        return { status: 204 }
      }
      if (busy.has(name)) throw conflict(`profile "${name}" is arriving already`, 'try again in a moment')
      busy.add(name)
      try {
        facts.stream(call, (viewer) => {
          void arrive(facts, moves, { name, from, epoch }, viewer).finally(() => busy.delete(name))
        })
      } catch (error) {
        busy.delete(name)
        throw error
      }
      return { stream: true }
    },
  }
}

interface Arrival {
  readonly name: string
  readonly from: Node
  readonly epoch: number
}

/** Fetches the profile, makes it this node's, and puts it in place. Never throws. */
async function arrive(facts: ApiFacts, moves: Moves, arrival: Arrival, viewer: Viewer): Promise<void> {
  const { home } = facts
  const { name, from, epoch } = arrival
  const dir = arrivingDir(home, name)
  try {
    const owner = await moves.look(name)
    if (owner?.own !== true) {
      await refuseTaken(home, name)
      await fetchInto(facts, arrival, dir, viewer)
      // From here on it is ours, whatever happens to either node.
      if (!(await moves.take(name, from.id, epoch))) {
        await removeAside(home, name, dir)
        throw new HermesError('REFUSED', `the move of "${name}" was ended at node ${from.name}`, {
          next: 'run it again',
        })
      }
    }
    if (isThere(dir)) await putInPlace(home, name, dir)
    await moves.arrived(name)
    viewer.send(frame('done', await addSlotOf(facts, name)))
  } catch (error) {
    const { body } = refusalOf(error, (bug) => facts.warn(`a bug: ${(bug as Error).stack}`))
    viewer.send(frame('failed', body))
  }
  viewer.close()
}

async function fetchInto(facts: ApiFacts, { name, from }: Arrival, dir: string, viewer: Viewer): Promise<void> {
  const ending = new AbortController()
  viewer.onClose(() => ending.abort())
  const stream = await facts.peers.open(from, `/api/node/profiles/${name}/archive`, ending.signal)
  if (!(stream instanceof ReadableStream)) {
    const { detail } = stream.body as { readonly detail?: unknown }
    throw new HermesError('FAILED', `node ${from.name} does not give the profile: ${detail}`, { next: 'run it again' })
  }
  await removeAside(facts.home, name, dir)
  let bytes = 0
  try {
    await unpackProfile(Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]), dir, (more) => {
      bytes += more
      if (bytes < REPORT_BYTES) return
      viewer.send(frame('progress', { bytes }))
      bytes = 0
    })
  } catch (error) {
    await removeAside(facts.home, name, dir)
    if (error instanceof HermesError) throw error
    throw new HermesError('FAILED', `the profile cannot be written to ${dir}: ${(error as Error).message}`, {
      next: 'make room there, or let the runtime user write there',
      cause: error,
    })
  }
}
