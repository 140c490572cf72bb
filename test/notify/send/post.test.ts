import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { post } from '../../../src/notify/send/post.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { startReceiver } from '../../support/notify/receiver.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const clock = systemClock()
const never = () => new AbortController().signal
const request = (url: string) => ({ url, headers: { 'X-One': '1' }, body: 'text' })

test('a request is posted with its headers; user and password of the address become a header', async () => {
  await using receiver = await startReceiver()
  const url = receiver.url.replace('//', '//me:p%40ss@')
  expect(await post(request(url), clock, never())).toEqual({ is: 'delivered', text: 'answered 200' })
  expect(receiver.requests).toMatchObject([
    { path: '/hook', body: 'text', headers: { 'x-one': '1', authorization: `Basic ${btoa('me:p@ss')}` } },
  ])
})

test('a redirect is not followed, because its address was not configured', async () => {
  await using receiver = await startReceiver((response, count) => {
    response.writeHead(count === 1 ? 307 : 200, { location: '/elsewhere' }).end()
  })
  expect(await post(request(receiver.url), clock, never())).toEqual({ is: 'refused', text: 'answered 307' })
  expect(receiver.requests).toHaveLength(1)
})

test('an answer without end does not keep the next message waiting', async () => {
  await using receiver = await startReceiver((response) => void response.writeHead(200).write('x'))
  expect(await post(request(receiver.url), clock, never())).toMatchObject({ is: 'delivered' })
})

test('a server that is away, or says nothing, is tried again; the address is not in the text', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const url = `http://127.0.0.1:${port}/secret-path`
  const fake = fakeClock()
  const silent = post(request(url), fake, never())
  await once(server, 'connection')
  fake.advance(10_000)
  expect(await silent).toEqual({ is: 'failed', text: `http://127.0.0.1:${port}/… does not answer within 10 s` })
  server.close()
  await once(server, 'close')
  expect(await post(request(url), clock, never())).toEqual({
    is: 'failed',
    text: `http://127.0.0.1:${port}/… cannot be reached: ECONNREFUSED`,
  })
})
