/** Colours of a terminal, by SGR (ECMA-48, 8.3.117). */
import { isatty } from 'node:tty'
import type { SlotStatus } from '../../protocol/control.ts'
import type { Environment } from '../../system/programs/install.ts'

const CODES = { bold: 1, reverse: 7, green: 32, yellow: 33, red: 31 } as const
export type Style = keyof typeof CODES

/** Marks text. */
export type Paint = (style: Style, text: string) => string

const isColour = (style: Style): boolean => CODES[style] >= 30

/** @param hasColours without them, text is only bold or reversed */
export const painter =
  (hasColours: boolean): Paint =>
  (style, text) =>
    isColour(style) && !hasColours ? text : `\x1b[${CODES[style]}m${text}\x1b[0m`

/**
 * Tells whether output may have colours: NO_COLOR (https://no-color.org) and FORCE_COLOR win over what the output is.
 * @param isTerminal whether it is a terminal
 */
export function wantsColours({ NO_COLOR, FORCE_COLOR, TERM }: Environment, isTerminal = isatty(1)): boolean {
  if (NO_COLOR) return false
  if (FORCE_COLOR) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return isTerminal && TERM !== 'dumb'
}

/** How the state of a slot is shown; undefined: as any text. */
export function stateStyle({ state, wanted, ready, health, nextStartAt }: SlotStatus): Style | undefined {
  if (state === 'parked' || health === 'stuck') return 'red'
  if (state === 'backoff' || state === 'starting' || state === 'stopping' || health === 'quiet') return 'yellow'
  if (state === 'up') return ready ? 'green' : 'yellow'
  return state === 'down' && wanted === 'up' && nextStartAt === undefined ? 'red' : undefined
}
