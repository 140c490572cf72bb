// An environment as text for sh, which can set most variables, but not all.

/** Quotes any text as one word for sh: in single quotes, only the quote itself is special (POSIX 2.2.2). */
export const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** One word for sh as a person would type it: quoted only where a character has a meaning. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : shellQuote(text))

const IS_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** Variables that a shell (dash, bash, busybox) sets, watches or refuses to have set. */
const IS_SHELLS =
  /^(_|IFS|OPT(IND|ARG|ERR)|PPID|SHLVL|E?UID|GROUPS|LINENO|S?RANDOM|SECONDS|EPOCH\w*|HIST\w*|FUNC\w*|DIRSTACK|PIPESTATUS|BASH\w*|SHELLOPTS|COMP_\w*|MAIL\w*)$/

/** A shell can export a variable of this name. */
export const isExportable = (name: string): boolean => IS_NAME.test(name) && !IS_SHELLS.test(name)
const isForShell = ([name]: readonly [string, string]): boolean => isExportable(name)

/** A line for each variable that a shell can export. */
export const exportLines = (variables: readonly (readonly [string, string])[]): readonly string[] =>
  variables.filter(isForShell).map(([name, value]) => `export ${name}=${shellQuote(value)}`)

/** Returns `exec`, with env(1) in between for the other variables; the program's arguments follow. */
export function execWith(variables: readonly (readonly [string, string])[]): string {
  const others = variables.filter((one) => !isForShell(one) && one[0] !== '' && !one[0].includes('='))
  return [
    'exec',
    ...(others.length === 0 ? [] : ['/usr/bin/env', '--']),
    ...others.map(([n, v]) => shellQuote(`${n}=${v}`)),
  ].join(' ')
}
