import type { Native } from '../../system/native/native.ts'
import type { Environment } from '../../system/programs/install.ts'

/** Where systemd's `Type=notify`, or podman, wants to hear from its service (sd_notify(3)). */
const SOCKET = 'NOTIFY_SOCKET'

export interface ServiceManagerOptions {
  /** Value of the variable; absent: none waits. */
  readonly socket: string | undefined
  readonly native: Pick<Native, 'sendDatagram'>
  readonly warn: (text: string) => void
}

/** The service manager of the machine. It gets the state of init by datagrams. */
export class ServiceManager {
  readonly #options: ServiceManagerOptions
  #isReady = false

  constructor(options: ServiceManagerOptions) {
    this.#options = options
  }

  /** The boot is over. Later calls do nothing. */
  ready(): void {
    if (this.#isReady) return
    this.#isReady = true
    this.#send('READY=1\nSTATUS=hermes status shows the gateways')
  }

  stopping(): void {
    this.#send('STOPPING=1')
  }

  /** A manager that cannot be reached ends us after its own time limit; the line says why. */
  #send(state: string): void {
    const { socket, native, warn } = this.#options
    if (!socket) return
    try {
      native.sendDatagram(socket, Buffer.from(state))
    } catch (error) {
      warn(`${SOCKET}=${socket}: ${state.split('\n')[0]} cannot be sent: ${(error as Error).message}`)
    }
  }
}

/**
 * Takes the variable away from the programs that a foreground init starts: they could send for it, and programs that
 * see it believe that a manager waits for them.
 */
export function withoutManager({ [SOCKET]: socket, ...env }: Environment): {
  readonly socket: string | undefined
  readonly env: Environment
} {
  return { socket, env }
}
