import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { MeteredQuestion } from '../question.ts'
import { refusesStreamOptions } from '../usage.ts'
import { errorBytes } from './answer.ts'
import type { ProfileEndpoint } from './endpoints.ts'
import { sendUpstream } from './upstream.ts'

export interface AskedRequest {
  readonly method: string
  /** Below the base URL, with the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** As the client has sent it. */
  readonly body: Buffer
  readonly question: MeteredQuestion
}

export interface UpstreamAnswer {
  readonly incoming: IncomingMessage
  /** The stream reports a usage that the client has not asked for. */
  readonly addsUsage: boolean
  /** The body of an error, where it had to be read. */
  readonly error?: Buffer
}

/** Asks endpoints, and remembers those whose streams cannot report their usage. */
export class Asking {
  /** They refuse `stream_options`. An endpoint whose configuration changes is another one. */
  readonly #silent = new WeakSet<ProfileEndpoint>()

  /**
   * Sends a request, once more where the endpoint refuses only what the meter has added to it.
   * @throws the error of the network
   */
  async ask(
    endpoint: ProfileEndpoint,
    { method, path, headers, body, question }: AskedRequest,
  ): Promise<UpstreamAnswer> {
    const asked = { method, path, headers }
    const addsUsage = question.addsUsage && !this.#silent.has(endpoint)
    const incoming = await sendUpstream(endpoint, { ...asked, body: addsUsage ? question.body : body })
    if (!addsUsage || ![400, 422].includes(incoming.statusCode ?? 0)) return { incoming, addsUsage }
    const error = await errorBytes(incoming)
    if (!refusesStreamOptions(incoming.statusCode ?? 0, error.toString('utf8'))) return { incoming, addsUsage, error }
    const again = await sendUpstream(endpoint, { ...asked, body })
    if ((again.statusCode ?? 0) < 400) this.#silent.add(endpoint)
    return { incoming: again, addsUsage: false }
  }
}
