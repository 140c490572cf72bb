/** Answers of the front port itself, in the form of OpenAI's errors. Pure. */
import { type Refusal, refusal } from '../api/http/refusals.ts'

export const nothingHere = (): Refusal =>
  refusal(404, 'invalid_request_error', 'not_found', 'there is nothing here; the address of a profile is /p/NAME/v1')

export const unknownProfile = (name: string): Refusal =>
  refusal(404, 'invalid_request_error', 'profile_not_found', `there is no profile ${JSON.stringify(name)}`)

/** Its only protection is that other machines do not reach it. */
export const needsKey = (profile: string): Refusal =>
  refusal(
    403,
    'invalid_request_error',
    'forbidden',
    `the API server of profile "${profile}" has no key, so the front port sends it nothing; ` +
      'set API_SERVER_KEY in its .env and restart its gateway',
  )

/** Clients try again by themselves: a gateway that restarts is back in a moment. */
export const notRunning = (profile: string): Refusal =>
  refusal(
    503,
    'server_error',
    'gateway_not_running',
    `the API server of profile "${profile}" is not running; ` +
      `set API_SERVER_ENABLED in its .env, then: hermes -p ${profile} gateway start`,
    { headers: { 'retry-after': '5' } },
  )

export const brokeOff = (profile: string): Refusal =>
  refusal(
    502,
    'server_error',
    'gateway_broken',
    `the gateway of profile "${profile}" ended the connection before it answered; see: hermes -p ${profile} logs`,
    { headers: { 'retry-after': '2' } },
  )

export const internalError = (): Refusal =>
  refusal(500, 'server_error', 'internal_error', 'internal error of the front port; see: hermes logs front-port')
