import type { Socket } from 'node:net'
import { HANDOVER_FD, HANDOVER_VARIABLE, type Handover } from '../../protocol/handover.ts'
import { DATABASE_SECRET, splitSecrets } from '../../system/dashboard-secrets.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import type { Variables } from '../facts/environment.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import { type HandedOver, handoverEnvironment } from './handed-over.ts'

/** The slot that dispatches the boards. */
export const DISPATCHER_SLOT = 'dispatcher'

/**
 * Starts the dispatcher of a board in a database, like the dashboard: as root, which it drops itself, and with the
 * address of the database on a descriptor. No gateway can then read the password, neither in its memory nor in an
 * environment or a file.
 */
export class DispatcherProgram {
  readonly #options: HandedOver

  constructor(options: HandedOver) {
    this.#options = options
  }

  command(): { readonly argv: readonly string[]; readonly env: Variables } {
    return {
      argv: [...ownNode('hermes', this.#options.install), 'kanban', 'dispatcher'],
      env: { ...ROOT_ENV, [HANDOVER_VARIABLE]: String(HANDOVER_FD) },
    }
  }

  serve(socket: Socket): void {
    socket.on('error', () => undefined) // it has ended; wait(2) tells
    socket.write(`${JSON.stringify(this.#handover())}\n`)
    socket.resume() // it says nothing; this way the end is noticed
  }

  #handover(): Handover {
    const { identity, dropped, restricted, home, stored, secrets } = this.#options
    const { [DATABASE_SECRET]: address } = secrets()
    return {
      ...(dropped && { identity, restricted }),
      env: handoverEnvironment(this.#options, splitSecrets(stored()).open, DISPATCHER_SLOT),
      secrets: address === undefined ? {} : { [DATABASE_SECRET]: address },
      cwd: home,
    }
  }
}
