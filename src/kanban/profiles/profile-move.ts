/**
 * Moves a profile to another node, which fetches it from the dashboard of this one. The row of the profile in the
 * database is the one truth about who has it; it changes in one step, after everything has been compared. Until then
 * the directory is set aside here, where nothing starts it. Run again after any interruption, this goes on from there.
 */
import { createParser } from 'eventsource-parser'
import type { PeerAnswer, Peers } from '../../control/peers.ts'
import { addSlotOf, requireVolume, stopIfThere } from '../../control/profile-actions.ts'
import { ifSupervised, unregisterSlot } from '../../control/slot-actions.ts'
import { requireProfile } from '../../profile/directory/disk.ts'
import { putInPlace, removeAside, resetActive, setAside } from '../../profile/directory/moving.ts'
import { movingDir } from '../../profile/directory/remainders.ts'
import { refuseDefault } from '../../profile/directory/remove.ts'
import { refuseWalled } from '../../profile/walled.ts'
import { HermesError } from '../../system/errors.ts'
import { isThere } from '../../system/files/directory.ts'
import { gatewaySlot, profileDir } from '../../system/paths.ts'
import type { Moves } from '../port/moves.ts'
import type { Node } from '../port/nodes.ts'
import { type RemovalFacts, withoutWorkers } from './profile-removal.ts'

export interface MoveFacts extends RemovalFacts {
  readonly peers: Peers
}

export interface Moved {
  /** Its gateway runs there, as it ran here. */
  readonly started: boolean
  /** It is there, but its gateway could not be started. */
  readonly problem?: string
  /** Tasks whose workers were stopped here. */
  readonly tasks: readonly string[]
}

/**
 * @param to the name of the node
 * @throws HermesError; unless it says otherwise, the profile is where it was
 */
export async function moveProfile(facts: MoveFacts, name: string, to: string): Promise<Moved> {
  refuseDefault(name, 'moved')
  refuseWalled(facts.home, name, 'moved')
  const moves = requireMoves(facts)
  const { own, target } = await ends(facts, to)
  const isAside = isThere(movingDir(facts.home, name))
  if (!isAside) requireProfile(facts.home, name)
  else if (isThere(profileDir(facts.home, name))) throw twice(facts.home, name)
  const owner = isAside ? await moves.look(name) : undefined
  if (owner !== undefined && !owner.own) {
    if (owner.node !== target.id) throw elsewhere(name)
    return finish(facts, name, await fetchThere(facts, target, own, name, owner.epoch), [])
  }
  await checkThere(facts, target, own, name)
  try {
    const tasks = isAside ? [] : await leave(facts, moves, name, to)
    const epoch = await moves.begin(name)
    if (epoch === undefined) throw elsewhere(name)
    return await finish(facts, name, await fetchThere(facts, target, own, name, epoch), tasks)
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    throw await back(facts, moves, name, error)
  }
}

/** Ends a move that was interrupted: the profile is here again. @throws HermesError REFUSED: it has arrived there */
export async function cancelMove(facts: MoveFacts, name: string): Promise<void> {
  const moves = requireMoves(facts)
  const owner = await moves.look(name)
  if (!isThere(movingDir(facts.home, name)) && !(owner?.own && owner.moving))
    throw new HermesError('REFUSED', `profile "${name}" is not being moved from this node`, { next: 'hermes nodes' })
  if (isThere(movingDir(facts.home, name)) && isThere(profileDir(facts.home, name))) throw twice(facts.home, name)
  if (!(await moves.cancel(name))) throw elsewhere(name)
  await restore(facts, name)
}

function requireMoves({ boards }: MoveFacts): Moves {
  const moves = boards.moves()
  if (moves !== undefined) return moves
  throw new HermesError('REFUSED', 'there is one container: its board is in the volume, and no other node shares it', {
    next: 'docs/move-a-profile.md says how to copy a profile to another machine',
  })
}

async function ends({ boards }: MoveFacts, to: string): Promise<{ readonly own: Node; readonly target: Node }> {
  const nodes = await boards.nodes()
  const own = nodes.find((node) => node.own)
  if (own === undefined)
    throw new HermesError('FAILED', 'this container is not a node yet', {
      next: 'wait until its dispatcher has started: hermes status',
    })
  const target = nodes.find((node) => node.name === to)
  if (target === undefined)
    throw new HermesError('FAILED', `no node "${to}"`, {
      next: `the nodes are ${nodes.map((node) => node.name).join(', ')}: hermes nodes`,
    })
  if (target.own)
    throw new HermesError('REFUSED', `node "${to}" is this one`, { next: 'hermes nodes lists the others' })
  if (own.apiUrl !== null) return { own, target }
  throw new HermesError('REFUSED', `node ${to} could not fetch the profile: this node gives no address`, {
    next: 'set HERMES_NODE_URL to the address of the dashboard of this node, and start the container again',
  })
}

const pathThere = (name: string): string => `/api/node/profiles/${name}/take`

/** Before anything is stopped here: it can be asked, and has no profile of that name. */
async function checkThere({ peers }: MoveFacts, target: Node, own: Node, name: string): Promise<void> {
  const answer = await peers.ask(target, 'POST', pathThere(name), { from: own.id })
  if (answer.status >= 300) throw refusal(answer)
}

/** Stops everything that works in the profile, and sets it aside. */
function leave(facts: MoveFacts, moves: Moves, name: string, to: string): Promise<readonly string[]> {
  return withoutWorkers(facts, name, `its profile "${name}" is moved to node ${to}`, async () => {
    await requireVolume(facts, 'moved', name)
    const depart = async (): Promise<void> => {
      if ((await moves.begin(name)) === undefined) throw elsewhere(name)
      await setAside(facts.home, name)
    }
    const done = await ifSupervised(facts, async (client) => {
      await stopIfThere(facts, client, name)
      await depart()
      await unregisterSlot(client, gatewaySlot(name))
      return true
    })
    if (!done) await depart()
  })
}

type Arrived = Pick<Moved, 'started' | 'problem'>

/** Has the other node fetch the profile, and waits until it is in place there. */
async function fetchThere(
  { peers, progress }: MoveFacts,
  target: Node,
  own: Node,
  name: string,
  epoch: number,
): Promise<Arrived> {
  const ending = new AbortController()
  const init = { method: 'POST', json: { from: own.id, epoch } } as const
  const stream = await peers.open(target, pathThere(name), ending.signal, init)
  if (!(stream instanceof ReadableStream)) throw refusal(stream)
  let arrived: Arrived | undefined
  let failed: HermesError | undefined
  const parser = createParser({
    onEvent({ event, data }) {
      const told = JSON.parse(data)
      if (event === 'progress') progress?.(Number(told.bytes))
      if (event === 'done') arrived = told
      if (event === 'failed') failed = refusal({ status: 500, body: told })
    },
  })
  try {
    const decoder = new TextDecoder()
    for await (const chunk of stream) parser.feed(decoder.decode(chunk, { stream: true }))
  } catch (error) {
    failed ??= brokenOff(target, error)
  }
  if (arrived !== undefined) return arrived
  throw failed ?? brokenOff(target)
}

const brokenOff = ({ name }: Node, cause?: unknown): HermesError =>
  new HermesError('FAILED', `the connection to node ${name} ended before it reported that the profile is there`, {
    detail: 'NO_NODE',
    next: 'run the command again',
    ...(cause !== undefined && { cause }),
  })

async function finish(facts: MoveFacts, name: string, arrived: Arrived, tasks: readonly string[]): Promise<Moved> {
  await removeAside(facts.home, name, movingDir(facts.home, name))
  await resetActive(facts.home, name)
  return { ...arrived, tasks }
}

/** After a failure. @returns the error for the operator, who learns where the profile is */
async function back(facts: MoveFacts, moves: Moves, name: string, error: HermesError): Promise<HermesError> {
  const again = (where: string): HermesError =>
    new HermesError(error.code, `${error.message}; ${where}`, {
      next: 'run the same command again: it goes on from there',
      exitCode: error.exitCode,
      cause: error,
    })
  let isOurs: boolean
  try {
    isOurs = await moves.cancel(name)
  } catch {
    return again(`the database does not answer, so "${name}" stays set aside here`)
  }
  if (!isOurs) return again(`"${name}" belongs to the other node already`)
  await restore(facts, name)
  return new HermesError(error.code, `${error.message}; "${name}" is still here, as it was`, {
    ...(error.next && { next: error.next }),
    ...(error.detail && { detail: error.detail }),
    exitCode: error.exitCode,
    cause: error,
  })
}

async function restore(facts: MoveFacts, name: string): Promise<void> {
  const aside = movingDir(facts.home, name)
  if (isThere(aside)) await putInPlace(facts.home, name, aside)
  const { problem } = await addSlotOf(facts, name)
  if (problem !== undefined) facts.warn(`gateway-${name} was not started again: ${problem}`)
}

/** The answer of the dashboard there. */
function refusal({ body }: PeerAnswer): HermesError {
  const { detail, next } = body as { readonly detail?: unknown; readonly next?: unknown }
  return new HermesError('FAILED', String(detail), next === undefined ? {} : { next: String(next) })
}

const elsewhere = (name: string): HermesError =>
  new HermesError('REFUSED', `profile "${name}" belongs to another node`, {
    next: `"hermes nodes" says to which; "hermes profile move ${name} --to" that node finishes a move that was interrupted`,
  })

const twice = (home: string, name: string): HermesError =>
  new HermesError(
    'EXISTS',
    `there are two profiles "${name}": ${profileDir(home, name)}, and the one that is being moved`,
    {
      next: `rename the first one: hermes profile rename ${name} NEW`,
    },
  )
