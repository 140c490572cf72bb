/** One attempt to send a batch. */
import type { Attempt } from '../../notify/retry.ts'
import { readAddress, variableOf } from '../../notify/send/address.ts'
import { post } from '../../notify/send/post.ts'
import { type ForwardTarget, forwardUrlProblem, type PostTarget } from '../../profile/config/kinds/forward-kinds.ts'
import type { Clock } from '../../system/clock.ts'
import type { Environment } from '../../system/programs/install.ts'
import type { Batch } from '../batch.ts'
import { attemptAtBatch } from '../retry.ts'
import { lokiAddress, lokiBody } from '../wire/loki.ts'
import { otlpAddress, otlpBody } from '../wire/otlp.ts'
import { datagrams, octetCounted, syslogMessages } from '../wire/syslog.ts'
import { placeOf, sendDatagrams, sendStream } from './stream.ts'

export interface SendFacts {
  readonly home: string
  /** Of the variables that targets name. */
  readonly env: Environment
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Never rejects. */
export async function sendBatch(target: ForwardTarget, batch: Batch, facts: SendFacts): Promise<Attempt> {
  const { home, env, clock, signal } = facts
  const address = readAddress(target.address, { home, env, problemOf: (text) => forwardUrlProblem(text, target.to) })
  // It may be set later: the lines wait in their files.
  if (address.problem !== undefined) return { is: 'failed', text: address.problem }
  if (target.to !== 'syslog') return postBatch(target, address.text, batch, facts)
  const messages = syslogMessages(batch, target.facility)
  const place = placeOf(address.text)
  if (address.text.startsWith('udp:')) return sendDatagrams(place, datagrams(messages))
  return sendStream(place, octetCounted(messages), clock, signal)
}

async function postBatch(target: PostTarget, url: string, batch: Batch, facts: SendFacts): Promise<Attempt> {
  const { env, clock, signal } = facts
  const token = target.tokenEnv === null ? undefined : variableOf(target.tokenEnv, env)
  if (token?.problem !== undefined) return { is: 'failed', text: token.problem }
  const headers = {
    ...target.headers,
    'Content-Type': 'application/json',
    ...(token !== undefined && { Authorization: `Bearer ${token.text}` }),
  }
  const request =
    target.to === 'loki'
      ? { url: lokiAddress(url), headers, body: lokiBody(batch, target.labels) }
      : { url: otlpAddress(url), headers, body: otlpBody(batch, target.labels) }
  return post(request, clock, signal, attemptAtBatch)
}
