import type { Clock } from '../../../system/clock.ts'
import type { ServerEvent } from '../../agent/sse.ts'

/** A comment event: keeps proxies and clients from taking a thinking agent for a dead one. */
const HEARTBEAT = new TextEncoder().encode(': still working\n\n')
const HEARTBEAT_MS = 15_000
/** A reader that takes nothing for this long counts as gone, whatever TCP reports. */
const STALLED_MS = 60_000

/**
 * Returns frames as a body that is produced only as fast as it is read.
 * @param frames must not throw: a failure is a frame of its own
 * @param giveUp called when the reader has gone or stalled; it must end `frames`
 */
export function eventStream(
  frames: AsyncGenerator<Uint8Array, void, undefined>,
  clock: Clock,
  giveUp: () => void,
): ReadableStream<Uint8Array> {
  let pending: Promise<IteratorResult<Uint8Array, void>> | undefined
  let forget = (): void => undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        forget()
        pending ??= frames.next()
        const beat = Promise.withResolvers<'beat'>()
        const cancel = clock.at(clock.nowMs() + HEARTBEAT_MS, () => beat.resolve('beat'))
        const next = await Promise.race([pending, beat.promise])
        cancel()
        if (next === 'beat') return controller.enqueue(HEARTBEAT)
        pending = undefined
        if (next.done === true) return controller.close()
        controller.enqueue(next.value)
        forget = clock.at(clock.nowMs() + STALLED_MS, giveUp)
      },
      async cancel() {
        forget()
        giveUp()
        await frames.return()
      },
    },
    { highWaterMark: 0 },
  )
}

const encoder = new TextEncoder()

/** An event as another server has sent it. */
export const eventText = ({ type, data }: ServerEvent): string =>
  `${type === '' ? '' : `event: ${type}\n`}${data.replaceAll(/^/gm, 'data: ')}\n\n`

/** One event with JSON data. */
export const frame = (data: unknown): Uint8Array => encoder.encode(`data: ${JSON.stringify(data)}\n\n`)

export const DONE = encoder.encode('data: [DONE]\n\n')
