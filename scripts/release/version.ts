const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/

export const isVersion = (text: string): boolean => VERSION.test(text)

/** Whether the first version comes after the second one (https://semver.org, without pre-releases). */
export function isNewer(version: string, other: string): boolean {
  const numbers = (text: string): number[] => text.split('.').map(Number)
  const differences = numbers(version).map((number, index) => number - (numbers(other)[index] ?? 0))
  return (differences.find((difference) => difference !== 0) ?? 0) > 0
}
