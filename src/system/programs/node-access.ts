/** The secret and the addresses by which the dashboards of nodes reach each other. Pure. */
import { NODE_SECRET } from '../dashboard-secrets.ts'
import { HermesError } from '../errors.ts'
import { truthy } from '../markers.ts'
import type { Environment } from './install.ts'

/** It guards every node, and nothing counts wrong ones. */
const SHORTEST_TOKEN = 16

/** @returns what is wrong with a node token, for people; nothing of it is part of the text */
export const tokenProblem = (token: string): string | undefined =>
  /^[\x21-\x7e]+$/.test(token) && token.length >= SHORTEST_TOKEN
    ? undefined
    : `is not a token: it needs ${SHORTEST_TOKEN} or more ASCII characters without blanks, as "openssl rand -hex 32" prints`

/** @throws HermesError REFUSED */
export function requireToken(token: string): string {
  const problem = tokenProblem(token)
  if (problem === undefined) return token
  throw new HermesError('REFUSED', `${NODE_SECRET} ${problem}`, { next: 'correct it, or leave it unset' })
}

/** HERMES_NODE_INSECURE: the token may cross the network in clear. */
export const allowsClearText = (env: Environment): boolean => truthy(env.HERMES_NODE_INSECURE)

/**
 * The address of a node's dashboard, as HERMES_NODE_URL gives it or another node has stored it.
 * @param clearText http is allowed beyond this machine
 * @returns without a slash at its end; a problem for people if the token must not be sent there
 */
export function nodeAddress(
  text: string,
  clearText: boolean,
): { readonly url: string; readonly problem?: undefined } | { readonly problem: string; readonly next: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (url === undefined || !isPlain || !/^https?:$/.test(url.protocol))
    return {
      problem: `expected an http or https address, got "${text.slice(0, 200)}"`,
      next: 'use an address such as https://h1.example, with which other nodes reach the dashboard of this one',
    }
  if (url.protocol === 'http:' && !clearText && !isLoopbackName(url.hostname))
    return {
      problem: `the node token would cross the network in clear on the way to ${text.slice(0, 200)}`,
      next: 'use an https address, or set HERMES_NODE_INSECURE=1 on every node if the network between them is trusted',
    }
  return { url: url.href.replace(/\/+$/, '') }
}

const isLoopbackName = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host)

/**
 * This node's address for the other ones.
 * @returns undefined: HERMES_NODE_URL is not set, and no other node steers the gateways of this one
 * @throws HermesError REFUSED for an address that other nodes must not or cannot use
 */
export function ownNodeUrl(env: Environment): string | undefined {
  const text = env.HERMES_NODE_URL?.trim()
  if (!text) return undefined
  const address = nodeAddress(text, allowsClearText(env))
  if (address.problem === undefined) return address.url
  throw new HermesError('REFUSED', `HERMES_NODE_URL: ${address.problem}`, { next: address.next })
}
