import type { IncomingMessage, ServerResponse } from 'node:http'
import { redactor } from '../../system/text/redact.ts'
import { EventCutter, isDone, isOnlyUsage, jsonOf, mayHaveUsage } from '../event-cutter.ts'
import { brokeOff, errorEvent } from '../refusals.ts'
import { readUsage } from '../usage.ts'
import type { Ticket } from './counter.ts'

export interface AnswerOptions {
  /** The client has not asked for the event that reports the usage. */
  readonly addsUsage: boolean
  /** It should have used something. */
  readonly isQuestion: boolean
  /** Below `/v1/`. */
  readonly path: string
  /** Of the endpoint, for the error of a stream that breaks off. */
  readonly origin: string
  /** The beginning of an error that was read before. */
  readonly error?: Buffer | undefined
  readonly ticket: Ticket
  /** Blacked out of an error: some endpoints quote the key they refuse. */
  readonly key: string | undefined
}

/** A longer document passes without being counted. */
const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
const MAX_ERROR_BYTES = 1024 * 1024

/** The text of an error, which is short. @throws the error of a connection that broke */
export const errorBytes = async (incoming: IncomingMessage): Promise<Buffer> =>
  (await bytesOf(incoming, MAX_ERROR_BYTES)).bytes

/**
 * Passes an answer on. It is counted before its end goes out, so a client that has seen all of it has been counted. A
 * client that goes away does not end it: the endpoint bills the whole answer, and says only at its end for how much.
 * A stream that breaks off ends with an error event, and what it has reported until then counts.
 * @throws the error of a connection that broke in the middle of a document
 */
export async function passAnswer(
  incoming: IncomingMessage,
  response: ServerResponse,
  options: AnswerOptions,
): Promise<void> {
  const { ticket, isQuestion } = options
  const status = incoming.statusCode ?? 502
  const type = incoming.headers['content-type'] ?? ''
  if (status >= 400) {
    const body = redactor([options.key ?? ''])((options.error ?? (await errorBytes(incoming))).toString('utf8'))
    ticket.drop()
    writeHead(incoming, response, Buffer.byteLength(body))
    response.end(body)
    return
  }
  if (type.includes('event-stream')) return await passEvents(incoming, response, options)
  if (type.includes('json')) {
    const { bytes, rest } = await bytesOf(incoming, MAX_DOCUMENT_BYTES)
    if (rest === undefined) {
      const counted = readUsage(parsed(bytes))
      if (counted !== undefined && isQuestion) ticket.note(counted)
      ticket.finish(isQuestion)
      writeHead(incoming, response, bytes.length)
      response.end(bytes)
      return
    }
    writeHead(incoming, response)
    await write(response, bytes)
    for await (const chunk of rest) await write(response, chunk)
  } else {
    writeHead(incoming, response)
    for await (const chunk of incoming as AsyncIterable<Buffer>) await write(response, chunk)
  }
  ticket.finish(isQuestion)
  response.end()
}

async function passEvents(incoming: IncomingMessage, response: ServerResponse, options: AnswerOptions): Promise<void> {
  const { ticket, addsUsage, isQuestion, path, origin } = options
  const cutter = new EventCutter()
  /** Counts, and decides whether the client gets it. */
  const isForClient = (event: Buffer): boolean => {
    if (isDone(event)) ticket.finish(isQuestion)
    if (!mayHaveUsage(event)) return true
    const value = jsonOf(event)
    const counted = readUsage(value)
    if (counted === undefined) return true
    ticket.note(counted)
    const isLast = isOnlyUsage(value)
    if (isLast || event.includes('response.completed')) ticket.finish(isQuestion)
    return !(addsUsage && isLast)
  }
  writeHead(incoming, response)
  response.flushHeaders()
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      const events = cutter.push(chunk).filter(isForClient)
      if (events.length > 0) await write(response, Buffer.concat(events))
    }
  } catch {
    // The client has only whole events, so it can read one more.
    ticket.finish(isQuestion)
    response.end(errorEvent(brokeOff(origin), path))
    return
  }
  const rest = cutter.end()
  const isWanted = rest.length > 0 && isForClient(rest)
  ticket.finish(isQuestion)
  response.end(isWanted ? rest : undefined)
}

/** Headers about the connection (RFC 9110, 7.6.1); the length is ours. */
const NOT_PASSED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'trailer', 'upgrade'])

function writeHead(incoming: IncomingMessage, response: ServerResponse, length?: number): void {
  const headers = Object.entries(incoming.headers).filter(([name]) => !NOT_PASSED.has(name))
  response.writeHead(incoming.statusCode ?? 502, {
    ...Object.fromEntries(headers),
    ...(length !== undefined && { 'content-length': length }),
  })
}

/** Waits while the client is slow; a client that has gone is not waited for. */
async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (response.destroyed || response.write(bytes)) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

/** All bytes; or the first ones, and the rest as it comes. */
async function bytesOf(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly rest?: AsyncIterable<Buffer> }> {
  const chunks = (incoming as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  let size = 0
  for (;;) {
    const { done, value } = await chunks.next()
    if (done === true) return { bytes: Buffer.concat(pieces) }
    pieces.push(value)
    size += value.length
    if (size > maxBytes) return { bytes: Buffer.concat(pieces), rest: { [Symbol.asyncIterator]: () => chunks } }
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    return undefined
  }
}
