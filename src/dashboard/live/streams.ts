import type { Clock } from '../../system/clock.ts'
import type { Call } from '../contract/handler.ts'
import type { SecurityHeaders } from '../gate/headers.ts'
import { unavailable } from '../gate/refusals.ts'
import { type Viewer, viewerOf } from './viewer.ts'

/** Streams of all viewers together; each holds a connection and what waits for it. */
const MAX_STREAMS = 500

/** Starts a stream of events; it ends with the viewer's session, and with the dashboard. @throws Refused 503 */
export type BeginStream = (call: Pick<Call, 'outgoing' | 'viewer' | 'cookies'>, use: (viewer: Viewer) => void) => void

/** Every stream of events there is. */
export class Streams {
  readonly #clock: Clock
  readonly #headers: SecurityHeaders
  /** The session of each viewer; undefined where no log-in is needed. */
  readonly #viewers = new Map<Viewer, string | undefined>()

  readonly #onOpen: (session: string) => void

  /** @param onOpen called for each stream of a session */
  constructor(clock: Clock, headers: SecurityHeaders, onOpen: (session: string) => void) {
    this.#clock = clock
    this.#headers = headers
    this.#onOpen = onOpen
  }

  readonly begin: BeginStream = ({ outgoing, viewer: signedIn, cookies }, use) => {
    if (this.#viewers.size >= MAX_STREAMS)
      throw unavailable('busy', `${MAX_STREAMS} viewers are connected already`, 'close some of them')
    const viewer = viewerOf(
      outgoing,
      { ...this.#headers, ...(cookies.length > 0 && { 'Set-Cookie': cookies }) },
      this.#clock,
    )
    this.#viewers.set(viewer, signedIn?.session)
    let cancel = (): void => undefined
    // The page connects again; its session is then renewed, or over.
    if (signedIn !== undefined) cancel = this.#clock.at(this.#nowFor(signedIn.expiresAtMs), () => viewer.close())
    viewer.onClose(() => {
      cancel()
      this.#viewers.delete(viewer)
    })
    if (signedIn !== undefined) this.#onOpen(signedIn.session)
    use(viewer)
  }

  /** The sessions that have streams. */
  sessions(): readonly (string | undefined)[] {
    return [...this.#viewers.values()]
  }

  /** Closes the streams of a session that has ended. */
  closeOf(session: string): void {
    for (const [viewer, of] of this.#viewers) if (of === session) viewer.close()
  }

  closeAll(): void {
    for (const viewer of this.#viewers.keys()) viewer.close()
  }

  /** An instant of wall time, on the clock that alarms go by. */
  #nowFor(wallMs: number): number {
    return this.#clock.nowMs() + Math.max(0, wallMs - this.#clock.wallMs())
  }
}
