/** Asks the dashboards of other nodes, with the token that all nodes share. */
import type { Clock } from '../system/clock.ts'
import { NODE_SECRET } from '../system/dashboard-secrets.ts'
import { HermesError } from '../system/errors.ts'
import { nodeAddress } from '../system/programs/node-access.ts'

/** A node, as far as a request needs it. */
export interface Peer {
  readonly name: string
  /** HERMES_NODE_URL of that node. */
  readonly apiUrl: string | null
}

export interface PeersFacts {
  readonly token: string | undefined
  /** http may carry the token beyond this machine. */
  readonly clearText: boolean
  readonly clock: Clock
}

export interface PeerAnswer {
  readonly status: number
  readonly body: unknown
}

/** Time until an answer begins. The dashboard there starts and stops gateways without waiting for them. */
const ANSWER_MS = 10_000

export class Peers {
  readonly #facts: PeersFacts

  constructor(facts: PeersFacts) {
    this.#facts = facts
  }

  /**
   * One request with an answer in JSON, which may be a refusal of the dashboard there.
   * @throws HermesError FAILED with the detail NO_NODE: nothing that is a dashboard of ours answers there
   */
  async ask(peer: Peer, method: 'GET' | 'POST', path: string, json?: unknown): Promise<PeerAnswer> {
    const response = await this.#fetch(peer, path, { method, ...bodyOf(json) })
    return answerOf(peer, response)
  }

  /**
   * A request whose answer is a stream.
   * @param signal ends it
   * @throws HermesError as {@link ask}
   */
  async open(
    peer: Peer,
    path: string,
    signal: AbortSignal,
    init: { readonly method?: 'POST'; readonly json?: unknown } = {},
  ): Promise<ReadableStream<Uint8Array> | PeerAnswer> {
    const { method = 'GET', json } = init
    const response = await this.#fetch(peer, path, { method, ...bodyOf(json) }, signal)
    return response.ok && response.body !== null ? response.body : answerOf(peer, response)
  }

  async #fetch(peer: Peer, path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const { clock, token } = this.#facts
    const url = `${this.#addressOf(peer)}${path}`
    const late = new AbortController()
    const cancel = clock.at(clock.nowMs() + ANSWER_MS, () => late.abort())
    const headers = { ...init.headers, Authorization: `Bearer ${token}` }
    // A redirect would carry the token to another address.
    const options: RequestInit = { ...init, headers, redirect: 'manual' }
    try {
      const response = await fetch(url, {
        ...options,
        signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
      })
      if (response.status !== 401) return response
      await response.body?.cancel()
    } catch (error) {
      const why = late.signal.aborted
        ? `does not answer within ${ANSWER_MS / 1000} s`
        : `cannot be reached: ${reason(error)}`
      throw unreachable(`node ${peer.name} at ${peer.apiUrl} ${why}`, UNREACHABLE, error)
    } finally {
      cancel()
    }
    throw unreachable(
      `node ${peer.name} at ${peer.apiUrl} refuses the node token of this one`,
      `give every node the same ${NODE_SECRET}, and start them again`,
    )
  }

  #addressOf({ name, apiUrl }: Peer): string {
    const { token, clearText } = this.#facts
    if (token === undefined)
      throw unreachable(
        `node ${name} cannot be asked: this node has no node token`,
        `set ${NODE_SECRET} to the same secret on every node, and start them again`,
      )
    if (apiUrl === null)
      throw unreachable(
        `node ${name} cannot be asked: it gives no address`,
        `set HERMES_NODE_URL there to the address of its dashboard, or use the dashboard of ${name}`,
      )
    const address = nodeAddress(apiUrl, clearText)
    if (address.problem === undefined) return address.url
    throw unreachable(`node ${name} is not asked: ${address.problem}`, address.next)
  }
}

const bodyOf = (json: unknown): RequestInit =>
  json === undefined ? {} : { body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } }

const UNREACHABLE =
  'check that its container runs, that its dashboard is on, and that HERMES_NODE_URL there leads to it; "hermes nodes" says when it was last heard'

const unreachable = (message: string, next: string, cause?: unknown): HermesError =>
  new HermesError('FAILED', message, { detail: 'NO_NODE', next, ...(cause !== undefined && { cause }) })

/** The cause of a failed fetch: `ECONNREFUSED`, `ENOTFOUND`, `SELF_SIGNED_CERT_IN_CHAIN`. */
function reason(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: { readonly code?: string; readonly message?: string } }
  return cause?.code ?? cause?.message ?? message
}

/** A proxy may answer for the dashboard: its page is not JSON. */
async function answerOf(peer: Peer, response: Response): Promise<PeerAnswer> {
  const text = await response.text().catch(() => '')
  try {
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    if (
      response.status < 300 ||
      (response.status >= 400 && typeof body === 'object' && body !== null && 'detail' in body)
    )
      return { status: response.status, body }
  } catch {
    // Not JSON: no dashboard of ours.
  }
  throw unreachable(
    `node ${peer.name} at ${peer.apiUrl} answers ${response.status}, but not as a dashboard does`,
    'correct HERMES_NODE_URL there: a proxy must pass /api/node/ on to the dashboard of that node',
  )
}
