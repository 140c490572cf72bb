import { findToken, isExpired, rightsOf, type Token } from '../../access/token.ts'
import { parseTokens, type TokenList } from '../../access/token-list.ts'
import type { HandedText } from '../../protocol/handover.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { RefusedRequest, tooManyTries, unavailable } from '../gate/refusals.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import type { TokenOwner } from '../http/app.ts'
import { AttemptLimit, TEN_A_MINUTE } from './attempt-limit.ts'
import type { AuditLog } from './audit.ts'
import { WRONG_OF_ONE, WRONG_OF_STRANGERS } from './password-tries.ts'

/** The hashes of all tokens, which commands write. */
export interface StoredTokens {
  /** Its place, for messages. */
  readonly where: string
  /** As they are now. Never throws. */
  read(): Promise<HandedText>
}

export interface ApiTokensFacts {
  readonly clock: Clock
  readonly stored: StoredTokens
  readonly audit: Pick<AuditLog, 'count'>
  readonly warn: (text: string) => void
  /** Sessions that have streams or terminals open. */
  readonly openSessions: () => readonly (string | undefined)[]
  /** Ends what a session has open. */
  readonly closeOf: (session: string) => void
}

/** Between two looks at whether the tokens of open streams still count. */
const LOOK_MS = 1000
const SESSION_PREFIX = 'token:'

/**
 * The API tokens. The list is read again for each request, so that a token that has been revoked is refused from then
 * on; requests that come at the same time share a reading that begins after them.
 *
 * Wrong tokens are limited like wrong passwords. A right one is not, because a program that goes on with an old token
 * behind the same proxy must not lock the others out.
 */
export class ApiTokens {
  readonly #facts: ApiTokensFacts
  readonly #quick = new AttemptLimit(TEN_A_MINUTE)
  readonly #wrong = new AttemptLimit(WRONG_OF_ONE)
  readonly #wrongOfAll = new AttemptLimit(WRONG_OF_STRANGERS)
  #known: readonly Token[] = []
  #problem: string | undefined
  #last: Promise<unknown> = Promise.resolve()
  #next: Promise<TokenList> | undefined
  #cancel: Cancel | undefined
  #closed = false

  constructor(facts: ApiTokensFacts) {
    this.#facts = facts
  }

  /** @throws Refused 401 for a token that does not count, 429 after too many of them, 503 if that cannot be known */
  async ownerOf(text: string, request: RequestFacts): Promise<TokenOwner> {
    const { address } = request
    const waitMs = this.#waitMs(address)
    // init is not asked for each guess of an attacker.
    if (waitMs > 0 && findToken(this.#known, text) === undefined) throw this.#tooMany(address, waitMs)
    const { tokens } = await this.#read()
    if (tokens === undefined)
      throw unavailable(
        'no_tokens',
        'the API tokens cannot be checked, so none is accepted',
        'see "hermes logs dashboard"',
      )
    const found = findToken(tokens, text)
    if (found !== undefined && !isExpired(found, this.#facts.clock.wallMs())) return ownerOf(found)
    if (waitMs > 0) throw this.#tooMany(address, waitMs)
    this.#count(address)
    this.#facts.audit.count({
      event: 'token_refused',
      address,
      ...(found !== undefined && { user: found.name }),
      reason: found === undefined ? 'unknown or revoked' : 'expired',
    })
    throw invalid(request)
  }

  /** Ends what is open for a token when it does not count any more. @param session as in {@link SignedIn} */
  watch(session: string): void {
    if (session.startsWith(SESSION_PREFIX)) this.#arm()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #arm(): void {
    const { clock } = this.#facts
    if (this.#closed) return
    this.#cancel ??= clock.at(clock.nowMs() + LOOK_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { clock, openSessions, closeOf } = this.#facts
    const sessions = new Set(openSessions().filter((one) => one?.startsWith(SESSION_PREFIX)))
    if (sessions.size > 0) {
      const { tokens = [] } = await this.#read()
      const valid = new Set(tokens.filter((token) => !isExpired(token, clock.wallMs())).map(sessionOf))
      for (const session of sessions) if (session !== undefined && !valid.has(session)) closeOf(session)
    }
    this.#cancel = undefined
    if (openSessions().some((one) => one?.startsWith(SESSION_PREFIX))) this.#arm()
  }

  #read(): Promise<TokenList> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined
      const reading = this.#readNow()
      this.#last = reading
      return reading
    })
    return this.#next
  }

  /** Never throws. */
  async #readNow(): Promise<TokenList> {
    const { stored, warn } = this.#facts
    const { text, problem } = await stored.read()
    const list = problem === undefined ? parseTokens(text) : { problem }
    if (list.problem !== undefined && list.problem !== this.#problem)
      warn(`${stored.where} ${list.problem}; all API tokens are refused, log-ins are not affected`)
    this.#problem = list.problem
    this.#known = list.tokens ?? []
    return list
  }

  #limits(address: string): readonly (readonly [AttemptLimit, string])[] {
    return [
      [this.#quick, address],
      [this.#wrong, address],
      [this.#wrongOfAll, 'all'],
    ]
  }

  #waitMs(address: string): number {
    const nowMs = this.#facts.clock.nowMs()
    return Math.max(...this.#limits(address).map(([limit, key]) => limit.ask(key, nowMs).waitMs))
  }

  #count(address: string): void {
    const nowMs = this.#facts.clock.nowMs()
    for (const [limit, key] of this.#limits(address)) limit.take(key, nowMs)
  }

  #tooMany(address: string, waitMs: number): RefusedRequest {
    this.#facts.audit.count({ event: 'token_refused', address, reason: 'too many tries' })
    return tooManyTries(waitMs)
  }
}

const sessionOf = ({ id }: Token): string => `${SESSION_PREFIX}${id}`

function ownerOf(token: Token): TokenOwner {
  const endsMs = token.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(token.expires_at)
  return {
    viewer: {
      session: sessionOf(token),
      user: token.name,
      actor: `token:${token.name}`,
      provider: 'token',
      expiresAtMs: endsMs,
      endsAtMs: endsMs,
    },
    rights: rightsOf(token),
  }
}

const invalid = ({ prefix }: RequestFacts): RefusedRequest =>
  new RefusedRequest(
    401,
    {
      error: 'invalid_token',
      detail: 'the API token is unknown, revoked or expired',
      reason: 'invalid_token',
      login_url: `${prefix}/login`,
    },
    { headers: { 'WWW-Authenticate': 'Bearer realm="hermes", error="invalid_token"' } },
  )
