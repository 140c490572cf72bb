import { once } from 'node:events'
import { closeSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LinkedSocket } from '../../../src/init/processes/linked-socket.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

/** Both ends of a socket pair; the other end's program is played by its descriptor. */
function linked() {
  const [ours, theirs] = realNative.socketPair() ?? []
  if (ours === undefined || theirs === undefined) throw new Error('the binding gives no socket pair')
  const socket = new LinkedSocket(ours)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { socket, theirs, text: () => Buffer.concat(chunks).toString() }
}

test.each([1, 200_000])(
  'a write that comes after the other end has died loses none of its last %d bytes',
  async (bytes) => {
    const { socket, theirs, text } = linked()
    const last = 'x'.repeat(bytes)
    expect(writeSync(theirs, last)).toBe(bytes)
    closeSync(theirs)
    socket.write('to a dead one\n')
    await expect(once(socket, 'close')).rejects.toMatchObject({ code: 'EPIPE' })
    expect(text()).toBe(last)
  },
)

test('the end of one that had not read everything gives what it wrote', async () => {
  const { socket, theirs, text } = linked()
  socket.write('never read\n')
  writeSync(theirs, 'its last word')
  closeSync(theirs)
  await once(socket, 'data')
  socket.on('error', () => undefined)
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  expect(text()).toBe('its last word')
})
