/** Set in the environment of every process inside a slot: `hermes gateway run` does not redirect there. */
export const SUPERVISED_MARKER = 'HERMES_SUPERVISED'
/**
 * Pid of the container's main program, set by init in its environment. Child processes inherit it but have another
 * pid, so a shell as main program does not turn every `gateway run` typed into it into the container's own.
 */
export const MAIN_MARKER = 'HERMES_MAIN'

/** `1`, `true`, `yes` in any case; anything else, typos and blanks included, is not: most switches open something. */
export const truthy = (value: string | undefined): boolean => value !== undefined && /^(1|true|yes)$/i.test(value)

export const isMainProgram = (env: { readonly [name: string]: string | undefined }, pid: number): boolean =>
  env[MAIN_MARKER] === String(pid)
