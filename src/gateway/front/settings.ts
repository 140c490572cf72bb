import { EXIT, HermesError } from '../../system/errors.ts'
import { type Address, plainHost } from '../../system/net/address.ts'

/**
 * Where the front port listens.
 * @param isContainer then other machines reach it by default, as a published port needs it
 * @throws HermesError with exit code 78, which parks the slot: starting again would not help
 */
export function frontSettings(
  { HERMES_FRONT_PORT, HERMES_FRONT_HOST }: Readonly<Record<string, string | undefined>>,
  isContainer: boolean,
): Address {
  const text = HERMES_FRONT_PORT?.trim() ?? ''
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535)
    throw new HermesError(
      'FAILED',
      `HERMES_FRONT_PORT: expected a whole number from 1 to 65535, got ${JSON.stringify(text.slice(0, 40))}`,
      { exitCode: EXIT.configuration, next: 'correct it in the environment of the container, and create it anew' },
    )
  return { host: plainHost(HERMES_FRONT_HOST?.trim() || (isContainer ? '0.0.0.0' : '127.0.0.1')), port }
}
