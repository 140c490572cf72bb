import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { frame, type Viewer, viewerOf } from '../../src/dashboard/live/viewer.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

test('a viewer that does not read is asked to end, and later events for it do no harm', async () => {
  const clock = fakeClock()
  const got = Promise.withResolvers<{ viewer: Viewer; response: ServerResponse }>()
  const server = createServer((_, response) => got.resolve({ viewer: viewerOf(response, {}, clock), response }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  client.on('response', (answer) => answer.pause())
  client.on('error', () => undefined) // it is cut at the end of the test
  client.end()
  const { viewer, response } = await got.promise
  const event = frame('lines', { text: 'x'.repeat(100_000) })
  // Some of it waits here, but not so much that nothing more would be taken.
  while (response.writableLength === 0) expect(viewer.send(event)).toBe(true)
  viewer.close()
  expect(viewer.send(event)).toBe(false)
  // A write after the end would be an unhandled error, and with it the end of the process.
  clock.advance(120_000)
  await new Promise((resolve) => setImmediate(resolve))
  expect(viewer.send(event)).toBe(false)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
