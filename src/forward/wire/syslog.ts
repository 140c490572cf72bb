/** Lines as messages of syslog (RFC 5424), and their frames on a connection (RFC 6587). Pure. */
import { readLine } from '../../log/line-facts.ts'
import type { Level } from '../../log/line-level.ts'
import { FACILITIES, type Facility } from '../../profile/config/kinds/forward-kinds.ts'
import type { Batch } from '../batch.ts'

const SEVERITIES: Readonly<Record<Level, number>> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 }
const NO_LEVEL = SEVERITIES.info

const HOST_CHARS = 255
const APP_CHARS = 48

/** One message for each line, in order. */
export function syslogMessages({ node, slots }: Batch, facility: Facility): readonly Buffer[] {
  const host = nameOf(node, HOST_CHARS)
  return slots.flatMap(({ slot, lines }) => {
    const app = nameOf(slot, APP_CHARS)
    return lines.map(({ atMs, text }) => {
      const { level } = readLine(text)
      const priority = FACILITIES[facility] * 8 + (level === undefined ? NO_LEVEL : SEVERITIES[level])
      const head = `<${priority}>1 ${new Date(atMs).toISOString()} ${host} ${app} - - -`
      return Buffer.from(text === '' ? head : `${head} ${text}`)
    })
  })
}

/** Printable ASCII without spaces; `-` where nothing is left. */
const nameOf = (text: string, chars: number): string => text.replace(/[^!-~]/g, '').slice(0, chars) || '-'

/** A message may have any byte in it, so each stands behind its length (RFC 6587, 3.4.1). */
export const octetCounted = (messages: readonly Buffer[]): Buffer =>
  Buffer.concat(messages.flatMap((message) => [Buffer.from(`${message.length} `), message]))

/** Every receiver of datagrams takes 2,048 bytes or more (RFC 5426, 3.2); the usual ones take 8 KiB. */
const DATAGRAM_BYTES = 8192

/** A datagram takes no longer message, so its end is cut off, and with it a part of a character. */
export const datagrams = (messages: readonly Buffer[]): readonly Buffer[] =>
  messages.map((message) => message.subarray(0, wholeCharacters(message)))

function wholeCharacters(message: Buffer): number {
  if (message.length <= DATAGRAM_BYTES) return message.length
  let end = DATAGRAM_BYTES
  while (((message[end] as number) & 0xc0) === 0x80) end--
  return end
}
