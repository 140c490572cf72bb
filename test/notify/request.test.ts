import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Notification } from '../../src/notify/notification.ts'
import { requestOf } from '../../src/notify/request.ts'

const notification: Notification = {
  id: 'an-id',
  event: 'parked',
  severity: 'error',
  at: '2026-01-01T00:00:00.000Z',
  slot: 'gateway-coder',
  profile: 'coder',
  text: 'gateway-coder is parked: <é> & more',
  count: 1,
}

test('a webhook gets the notification as JSON, with its id and the HMAC of exactly these bytes', () => {
  const { headers, body } = requestOf('webhook', 'https://example.org/hook', 'key', notification)
  expect(JSON.parse(body)).toEqual(notification)
  expect(headers).toEqual({
    'Content-Type': 'application/json',
    'X-Hermes-Delivery': 'an-id',
    'X-Hermes-Signature-256': `sha256=${createHmac('sha256', 'key').update(body).digest('hex')}`,
  })
  expect(Object.keys(requestOf('webhook', 'https://example.org', undefined, notification).headers)).not.toContain(
    'X-Hermes-Signature-256',
  )
})

test('ntfy gets a text with a title in ASCII, a priority and a token', () => {
  const { headers, body } = requestOf('ntfy', 'https://ntfy.sh/t', 'tk', { ...notification, node: 'nö' })
  expect(body).toBe(notification.text)
  expect(headers).toMatchObject({
    Title: 'hermes n?: parked: gateway-coder',
    Priority: '5',
    Tags: 'rotating_light',
    Authorization: 'Bearer tk',
  })
  const long = requestOf('ntfy', 'https://ntfy.sh/t', undefined, { ...notification, text: 'é'.repeat(5000) })
  expect(Buffer.byteLength(long.body)).toBe(4000)
})

test('Slack gets a text in which nothing is a link or a mention', () => {
  const { body } = requestOf('slack', 'https://hooks.slack.com/x', undefined, notification)
  expect(JSON.parse(body)).toEqual({
    text: '*hermes: parked: gateway-coder*\ngateway-coder is parked: &lt;é&gt; &amp; more',
  })
})

test('Discord gets a text that is short enough and mentions no person', () => {
  const { body } = requestOf('discord', 'https://discord.com/x', undefined, { ...notification, text: 'x'.repeat(5000) })
  const { content, allowed_mentions } = JSON.parse(body)
  expect([content.length, content.slice(0, 34), allowed_mentions]).toEqual([
    1900,
    '**hermes: parked: gateway-coder**\n',
    { parse: [] },
  ])
})

test('Gotify gets its token in a header, at the address of its messages', () => {
  const at = (url: string) => requestOf('gotify', url, 'tok', notification)
  expect(at('https://push.example.org').url).toBe('https://push.example.org/message')
  expect(at('https://example.org/push/').url).toBe('https://example.org/push/message')
  expect(at('https://example.org/push/message').url).toBe('https://example.org/push/message')
  const { headers, body } = at('https://push.example.org')
  expect(headers['X-Gotify-Key']).toBe('tok')
  expect(JSON.parse(body)).toEqual({
    title: 'hermes: parked: gateway-coder',
    message: notification.text,
    priority: 8,
  })
})
