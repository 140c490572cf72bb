/** `${NAME}` in services.yaml: values of the container's environment. */
import type { Kind } from '../profile/config/kinds/kinds.ts'
import { isRecord } from '../system/text/record.ts'

export type Variables = Readonly<Record<string, string>>

/** `$${` is the text `${`. Other forms of a shell, such as `${a%b}`, stay as they are. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^}]*))?\}/g

/** Replaces references in the texts of a key's value before they are checked. */
export const withVariables = <T>(kind: Kind<T>, variables: Variables): Kind<T> => ({
  ...kind,
  read(value) {
    const replaced = replace(value, variables, kind.asWritten === true)
    return replaced.missing === undefined ? kind.read(replaced.value) : undefined
  },
  whyNot(value) {
    const { missing, value: replaced } = replace(value, variables, kind.asWritten === true)
    if (missing === undefined) return kind.whyNot?.(replaced)
    return `${missing} is not set in the container; write \${${missing}:-default}, or $\${${missing}} for the text itself`
  },
})

interface Replaced {
  readonly value: unknown
  /** The first variable that is not set. */
  readonly missing?: string
}

function replace(value: unknown, variables: Variables, asText: boolean): Replaced {
  let missing: string | undefined
  const inText = (text: string): unknown => {
    const replaced = text.replaceAll(REFERENCE, (whole, name?: string, operator?: string, fallback = '') => {
      if (name === undefined) return '${'
      const found = variables[name]
      if (found !== undefined && (found !== '' || operator !== ':-')) return found
      if (operator === undefined) missing ??= name
      return operator === undefined ? whole : fallback
    })
    return asText || replaced === text ? replaced : typed(replaced)
  }
  const inValue = (one: unknown): unknown => {
    if (typeof one === 'string') return inText(one)
    if (Array.isArray(one)) return one.map((item, i) => (isScript(one, i) ? item : inValue(item)))
    if (!isRecord(one)) return one
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, inValue(inner)]))
  }
  const replaced = inValue(value)
  return { value: replaced, ...(missing !== undefined && { missing }) }
}

const SHELL = /(^|\/)(ba|da|a|z|k)?sh$/

/**
 * A script in a command line: its shell replaces the same forms itself, with the variables that the program has, such
 * as its user's HOME.
 */
const isScript = (command: readonly unknown[], at: number): boolean =>
  typeof command[0] === 'string' && SHELL.test(command[0]) && at > 1 && /^-[a-z]*c$/.test(String(command[at - 1]))

/** A number or a flag, where it stands in the place of one. */
const typed = (text: string): unknown =>
  text === 'true' || text === 'false' ? text === 'true' : /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
