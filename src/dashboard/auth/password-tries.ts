import { randomUUID } from 'node:crypto'
import * as z from 'zod/mini'
import type { Clock } from '../../system/clock.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import { AttemptLimit, TEN_A_MINUTE } from './attempt-limit.ts'
import { type CookiePlace, readCookie, setCookie } from './cookies.ts'
import type { Sealer } from './seal.ts'

const HOUR_MS = 3_600_000
/** Wrong passwords of one client. */
export const WRONG_OF_ONE = { tries: 20, windowMs: HOUR_MS }
/** Wrong passwords of all strangers together: twenty networks that do their worst. */
export const WRONG_OF_STRANGERS = { tries: 400, windowMs: HOUR_MS }
/** Since the latest log-in with this browser. */
const KNOWN_FOR_MS = 180 * 24 * HOUR_MS

const Device = z.object({ id: z.string(), untilMs: z.number() })

export interface PasswordTry {
  /** 0: the password may be checked; else ms until the next one may. */
  readonly waitMs: number
  /** The browser has logged in before. */
  readonly isKnown: boolean
  /** Counts it, as one with a wrong password until `passed`. */
  readonly count: () => void
  /** @returns the cookie that makes the browser known */
  readonly passed: () => string
}

/**
 * Limits guesses of the password. An attacker may have any number of addresses, so all strangers have one limit
 * together. A browser that has logged in before keeps a sealed cookie and is limited by that alone: an attacker can use
 * up the tries of strangers, but cannot lock the owner's browsers out (OWASP: "device cookies").
 */
export class PasswordTries {
  readonly #clock: Clock
  readonly #sealer: Sealer
  /** By address, or by the id of a known browser. */
  readonly #quick = new AttemptLimit(TEN_A_MINUTE)
  readonly #wrong = new AttemptLimit(WRONG_OF_ONE)
  readonly #wrongOfStrangers = new AttemptLimit(WRONG_OF_STRANGERS)

  constructor({ clock, sealer }: { readonly clock: Clock; readonly sealer: Sealer }) {
    this.#clock = clock
    this.#sealer = sealer
  }

  /** Finds out who tries, and whether one more try may be made. */
  of({ address, headers }: Pick<RequestFacts, 'address' | 'headers'>, place: CookiePlace): PasswordTry {
    const known = this.#knownBrowser(headers.cookie, place)
    const client = known === undefined ? address : `browser ${known}`
    const counted: readonly (readonly [AttemptLimit, string])[] = [
      [this.#wrong, client],
      ...(known === undefined ? ([[this.#wrongOfStrangers, 'all']] as const) : []),
    ]
    const nowMs = this.#clock.nowMs()
    const limits = [[this.#quick, client] as const, ...counted]
    return {
      waitMs: Math.max(...limits.map(([limit, key]) => limit.ask(key, nowMs).waitMs)),
      isKnown: known !== undefined,
      count: () => {
        for (const [limit, key] of limits) limit.take(key, nowMs)
      },
      passed: () => {
        for (const [limit, key] of counted) limit.giveBack(key)
        const device = { id: known ?? randomUUID(), untilMs: this.#clock.wallMs() + KNOWN_FOR_MS }
        return setCookie('hermes_known', this.#sealer.seal('known', device), KNOWN_FOR_MS / 1000, place)
      },
    }
  }

  #knownBrowser(cookies: string | undefined, place: CookiePlace): string | undefined {
    const sealed = readCookie(cookies, 'hermes_known', place)
    const { data: device } = Device.safeParse(sealed && this.#sealer.open('known', sealed))
    return device !== undefined && this.#clock.wallMs() < device.untilMs ? device.id : undefined
  }
}
