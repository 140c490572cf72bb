/** The request of a message, as each kind of target takes it. Pure. */
import { createHmac } from 'node:crypto'
import type { NotifyPost, Severity } from '../profile/config/kinds/notify-kinds.ts'
import type { Notification } from './notification.ts'

export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Discord takes 2,000 characters, and refuses longer texts. */
const DISCORD_CHARS = 1900
/** ntfy makes a longer text an attachment. */
const NTFY_BYTES = 4000

const MARKS: Readonly<Record<Severity, string>> = {
  info: 'white_check_mark',
  warning: 'warning',
  error: 'rotating_light',
}
/** ntfy: 1 to 5, 3 is usual. */
const NTFY_PRIORITY: Readonly<Record<Severity, string>> = { info: '3', warning: '4', error: '5' }
/** Gotify: 0 to 10; from 4 on with a sound, from 8 on with more. */
const GOTIFY_PRIORITY: Readonly<Record<Severity, number>> = { info: 3, warning: 5, error: 8 }

/**
 * @param secret key of the signature, or token
 * @throws TypeError for an address that is not a URL
 */
export function requestOf(
  to: NotifyPost,
  url: string,
  secret: string | undefined,
  notification: Notification,
): PostRequest {
  const delivery = { 'X-Hermes-Delivery': notification.id }
  const json = (value: unknown, headers: Readonly<Record<string, string>> = {}, at = url): PostRequest => ({
    url: at,
    headers: { 'Content-Type': 'application/json', ...delivery, ...headers },
    body: JSON.stringify(value),
  })
  const title = titleOf(notification)
  switch (to) {
    case 'webhook': {
      const request = json(notification)
      if (secret === undefined) return request
      const signed = { 'X-Hermes-Signature-256': signatureOf(secret, request.body) }
      return { ...request, headers: { ...request.headers, ...signed } }
    }
    case 'ntfy':
      return {
        url,
        headers: {
          'Content-Type': 'text/plain; charset=utf-8',
          ...delivery,
          Title: title,
          Priority: NTFY_PRIORITY[notification.severity],
          Tags: MARKS[notification.severity],
          ...(secret !== undefined && { Authorization: `Bearer ${secret}` }),
        },
        body: cutBytes(notification.text, NTFY_BYTES),
      }
    case 'slack':
      return json({ text: `*${title}*\n${escapedForSlack(notification.text)}` })
    case 'discord':
      // No text of ours may call @everyone.
      return json({
        content: `**${title}**\n${notification.text}`.slice(0, DISCORD_CHARS),
        allowed_mentions: { parse: [] },
      })
    case 'gotify':
      return json(
        { title, message: notification.text, priority: GOTIFY_PRIORITY[notification.severity] },
        secret === undefined ? {} : { 'X-Gotify-Key': secret },
        gotifyAddress(url),
      )
  }
}

/** The header of a signed message: `sha256=` and the HMAC of the body in hexadecimal digits. */
export const signatureOf = (secret: string, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

/** In ASCII, because it is a header. */
export function titleOf({ event, slot, task, node, count }: Notification): string {
  const subject = event === 'digest' ? `${count} events` : (slot ?? task)
  const title = `hermes${node === undefined ? '' : ` ${node}`}: ${event}${subject === undefined ? '' : `: ${subject}`}`
  return title.replace(/[^ -~]/g, '?')
}

/** https://api.slack.com/reference/surfaces/formatting#escaping */
const escapedForSlack = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The address of the server, or of its messages. */
function gotifyAddress(url: string): string {
  const address = new URL(url)
  if (!address.pathname.endsWith('/message')) address.pathname = `${address.pathname.replace(/\/$/, '')}/message`
  return address.href
}

/** Without a part of a character at its end. */
const cutBytes = (text: string, bytes: number): string =>
  Buffer.byteLength(text) <= bytes
    ? text
    : new TextDecoder().decode(Buffer.from(text).subarray(0, bytes)).replace(/\uFFFD+$/, '')
