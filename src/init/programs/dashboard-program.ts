import type { Socket } from 'node:net'
import {
  HANDOVER_FD,
  HANDOVER_VARIABLE,
  type Handover,
  type Keep,
  type Kept,
  type Look,
  type Looked,
  MAX_HANDOVER_LINE_BYTES,
  MAX_KEY_FILE_BYTES,
  parseQuestion,
} from '../../protocol/handover.ts'
import { LineSplitter } from '../../protocol/lines.ts'
import { splitSecrets } from '../../system/dashboard-secrets.ts'
import { readMountedFile } from '../../system/files/small-file.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import type { Variables } from '../facts/environment.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import type { DashboardState } from './dashboard-state.ts'
import { type HandedOver, handoverEnvironment } from './handed-over.ts'

/** The slot of `HERMES_DASHBOARD=1`. */
export const DASHBOARD_SLOT = 'dashboard'
/**
 * Settings of Node that are read at its start and load no code, because the dashboard contacts identity providers. It
 * gets its other variables after dropping root.
 */
const AT_THE_START = /^(NODE_USE_ENV_PROXY|NODE_USE_SYSTEM_CA|(HTTPS?|NO)_PROXY|(https?|no)_proxy)$/

export interface DashboardProgramOptions extends HandedOver {
  /** Where init keeps what outlives a restart; absent: the dashboard keeps it in the volume. */
  readonly state?: Pick<DashboardState, 'texts' | 'write' | 'look'>
}

/**
 * Starts the dashboard as root, which it drops itself, so that no gateway can read its memory; and with its secrets
 * on a descriptor, so that gateways find them nowhere else.
 */
export class DashboardProgram {
  readonly #options: DashboardProgramOptions

  constructor(options: DashboardProgramOptions) {
    this.#options = options
  }

  /** @param args options of `hermes dashboard` */
  command(args: readonly string[] = []): { readonly argv: readonly string[]; readonly env: Variables } {
    const { install, stored } = this.#options
    const early = Object.entries(stored()).filter(([name]) => AT_THE_START.test(name))
    return {
      argv: [...ownNode('hermes', install), 'dashboard', ...args],
      env: { ...ROOT_ENV, ...Object.fromEntries(early), [HANDOVER_VARIABLE]: String(HANDOVER_FD) },
    }
  }

  /** @param as the main program takes its own pid for a mark; the slot goes to the volume */
  serve(socket: Socket, as: 'main' | 'slot'): void {
    socket.on('error', () => undefined) // it has ended; wait(2) tells
    socket.write(`${JSON.stringify(this.#handover(as))}\n`)
    const splitter = new LineSplitter(MAX_HANDOVER_LINE_BYTES)
    socket.on('data', (chunk: Buffer) => {
      const { lines, tooLong } = splitter.push(chunk)
      // Reading pauses in the meantime; pending data waits in its memory.
      socket.pause()
      void this.#answerAll(lines, socket).finally(() => (tooLong ? socket.destroy() : socket.resume()))
    })
  }

  async #answerAll(lines: readonly string[], socket: Socket): Promise<void> {
    for (const line of lines) {
      const question = parseQuestion(line)
      if (question !== undefined) socket.write(`${JSON.stringify(await this.#answer(question))}\n`)
    }
  }

  async #answer(question: Keep | Look): Promise<Kept | Looked> {
    const { state } = this.#options
    const nothing = { problem: 'init keeps nothing here' }
    if (question.type === 'look') return { type: 'looked', ...((await state?.look(question.stamp)) ?? nothing) }
    const { name, text } = question
    const problem = state === undefined ? nothing.problem : await state.write(name, text)
    return { type: 'kept', name, ...(problem !== undefined && { problem }) }
  }

  #handover(as: 'main' | 'slot'): Handover {
    const { identity, dropped, restricted, home, stored, state } = this.#options
    const { open, secrets } = splitSecrets(stored())
    const keyFile = open.HERMES_DASHBOARD_KEY_FILE
    return {
      ...(dropped && { identity, restricted }),
      env: handoverEnvironment(this.#options, open, as === 'slot' ? DASHBOARD_SLOT : undefined),
      // A hook may have put one into the store.
      secrets: { ...this.#options.secrets(), ...secrets },
      ...(as === 'slot' && { cwd: home }),
      ...(state !== undefined && { kept: state.texts() }),
      // As root: a mounted secret is often readable only by root.
      ...(keyFile && { keyFile: readMountedFile(keyFile, MAX_KEY_FILE_BYTES) }),
    }
  }
}
