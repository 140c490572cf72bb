import type { AuditTrail } from './control/audit-trail.ts'
import { type ControlServer, type Handlers, serveControl } from './control/server.ts'
import type { HelperWatch } from './operator/helper-watch.ts'
import type { S6Control } from './operator/s6-control.ts'
import { ScanControl, type ScanControlOptions } from './s6/scan-control.ts'
import type { SlotDirs } from './s6/slot-dir.ts'

export interface ControlChannelsOptions {
  /** The listening socket; absent: there is none. */
  readonly controlFd: number | undefined
  readonly handlers: Handlers
  readonly audit: Pick<AuditTrail, 'operation'>
  readonly helpers: Pick<HelperWatch, 'watch' | 'close'>
  readonly s6: Pick<S6Control, 'flush'>
  readonly dirs: Pick<SlotDirs, 'close'>
  readonly scan: ScanControlOptions
}

/** Where commands come in: the control socket, and the FIFOs of s6's tools. */
export class ControlChannels {
  readonly #options: ControlChannelsOptions
  #control: ControlServer | undefined
  #scan: ScanControl | undefined

  constructor(options: ControlChannelsOptions) {
    this.#options = options
  }

  /** From the first welcome on. */
  open(): void {
    const { controlFd, handlers, audit, helpers, scan } = this.#options
    if (controlFd !== undefined && this.#control === undefined) {
      const record = audit.operation.bind(audit)
      this.#control = serveControl({ fd: controlFd, handlers, clock: scan.clock, warn: scan.warn, record })
      // Without a socket no helper can say that it lives.
      helpers.watch()
    }
    this.#scan ??= new ScanControl(scan)
  }

  /** No client is answered any more. */
  close(): void {
    this.#options.helpers.close()
    this.#control?.close()
  }

  /** The slots are no longer supervised: their listeners get the event. */
  leave(): void {
    this.#options.s6.flush()
    this.#scan?.close()
    this.#options.dirs.close()
  }
}
