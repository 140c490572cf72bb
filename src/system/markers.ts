/** In the environment of everything that runs inside a slot: `hermes gateway run` does not redirect there. */
export const SUPERVISED_MARKER = 'HERMES_SUPERVISED'
/**
 * Its pid, set by init for the container's main program. What that program starts inherits it, with another pid: a shell as main
 * program does not make every `gateway run` typed into it the container's own.
 */
export const MAIN_MARKER = 'HERMES_MAIN'

/** `1`, `true`, `yes` in any case; anything else, typos and blanks included, is not: most switches open something. */
export const truthy = (value: string | undefined): boolean => value !== undefined && /^(1|true|yes)$/i.test(value)

export const isMainProgram = (env: { readonly [name: string]: string | undefined }, pid: number): boolean =>
  env[MAIN_MARKER] === String(pid)
