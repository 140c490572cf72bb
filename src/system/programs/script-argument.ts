/**
 * Shells: options that take a text in place of a script (`-c`), and those with a value of their own (`-o pipefail`).
 */
const SHELLS = { names: /^(?:ba|da|a|z|k|mk)?sh$/, text: /^-[a-z]*c[a-z]*$/, value: /^[-+][a-z]*[oO]$/ }
const OTHERS = {
  names: /^(?:python|perl|ruby|node|nodejs|php|lua|tclsh|execlineb)[\d.]*$/,
  text: /^-[a-zA-Z]*[cemp]$/,
  value: /^-[WX]$/,
}

/**
 * Returns the script that an interpreter gets on its command line: the first argument that is not an option.
 * @param name of the program, without its directory
 * @returns undefined if it is not a known interpreter, or gets no script
 */
export function scriptArgument(name: string, args: readonly string[]): string | undefined {
  const kind = [SHELLS, OTHERS].find(({ names }) => names.test(name))
  if (kind === undefined) return undefined
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? ''
    if (kind.text.test(arg)) return undefined
    if (arg === '--') return args[index + 1]
    if (!/^[-+]./.test(arg)) return arg === '-' ? undefined : arg
    if (kind.value.test(arg)) index += 1
  }
  return undefined
}
