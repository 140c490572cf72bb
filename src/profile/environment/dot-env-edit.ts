import { HermesError } from '../../system/errors.ts'
import { parseDotEnv } from './dot-env.ts'

/**
 * Sets or, without a value, unsets one variable of a `.env`; all other lines stay unchanged.
 * @throws HermesError USAGE for a name or value that a line of `.env` cannot contain; the message never quotes the
 * value
 */
export function withVariable(text: string, name: string, value: string | undefined): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
    throw new HermesError('USAGE', 'invalid name of a variable; nothing was changed', {
      next: 'use letters, digits and _; the value is read from standard input: echo "$VALUE" | hermes env set NAME',
    })
  if (value?.includes('\n'))
    throw new HermesError('USAGE', `the value for ${name} has several lines; nothing was changed`, {
      next: 'edit .env by hand',
    })
  const isIts = (line: string): boolean => new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=`).test(line)
  const lines = text.split('\n')
  const at = lines.findIndex(isIts)
  const others = lines.filter((line) => !isIts(line))
  const added = value === undefined ? [] : [`${name}=${quoted(value)}`]
  if (at === -1) while (others.at(-1) === '') others.pop()
  const place = at === -1 ? others.length : at
  const edited = `${[...others.slice(0, place), ...added, ...others.slice(place)].join('\n').replace(/\n*$/, '')}\n`
  // A value of several lines, or quotes of another's: then the line was not all there is of it.
  const [before, after] = [parseDotEnv(text, '.env'), parseDotEnv(edited, '.env')]
  const rest = ({ [name]: _, ...others }: Readonly<Record<string, string>>): string => JSON.stringify(others)
  const isWhole = after.warnings.length <= before.warnings.length && rest(before.variables) === rest(after.variables)
  if (isWhole && after.variables[name] === value) return edited
  throw new HermesError('USAGE', `${name} cannot be changed by a single line; nothing was changed`, {
    next: 'edit .env by hand',
  })
}

function quoted(value: string): string {
  if (/^[\w@%+=:,./~-]*$/.test(value)) return value
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`
}
