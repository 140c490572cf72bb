/** Sends a request of a message over HTTP. */
import type { Clock } from '../../system/clock.ts'
import type { PostRequest } from '../request.ts'
import { type Attempt, attemptOf } from '../retry.ts'
import { shownAddress } from './address.ts'

/** Longest wait for an answer. */
const ANSWER_MS = 10_000

/**
 * Never rejects.
 * @param signal ends the attempt, which then has failed
 * @param judge decides what an answer means
 */
export async function post(
  { url, headers, body }: PostRequest,
  clock: Clock,
  signal: AbortSignal,
  judge = attemptOf,
): Promise<Attempt> {
  const late = new AbortController()
  const cancel = clock.at(clock.nowMs() + ANSWER_MS, () => late.abort())
  try {
    const { address, authorization } = partsOf(url)
    const response = await fetch(address, {
      method: 'POST',
      headers: { ...authorization, ...headers },
      body,
      // Another address is not the one that was configured, and may not have the body.
      redirect: 'manual',
      signal: AbortSignal.any([late.signal, signal]),
    })
    const attempt = judge(response.status, response.headers.get('retry-after'), clock.wallMs())
    // It is not read; an answer without end must not keep the connection.
    await response.body?.cancel()
    return attempt
  } catch (error) {
    const why = late.signal.aborted
      ? `does not answer within ${ANSWER_MS / 1000} s`
      : signal.aborted
        ? 'was not waited for, because the program ends'
        : `cannot be reached: ${reason(error)}`
    return { is: 'failed', text: `${shownAddress(url)} ${why}` }
  } finally {
    cancel()
  }
}

/** `fetch` takes no user and password in an address. */
function partsOf(url: string): { readonly address: string; readonly authorization: Readonly<Record<string, string>> } {
  const address = new URL(url)
  const { username, password } = address
  if (username === '' && password === '') return { address: url, authorization: {} }
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  address.username = ''
  address.password = ''
  return {
    address: address.href,
    authorization: { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
  }
}

/** The code of the system or of the library; their texts may have the address in them. */
function reason(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } }
  return typeof cause?.code === 'string' ? cause.code : 'the request failed'
}
