import { isNewer, isVersion } from './version.ts'

/**
 * The tags of an image: `1.2.3`, and `1.2`, `1` and `latest` unless a newer version has them. Below 1.0.0 every minor
 * version may break something (https://semver.org), so none is `0`.
 * @param version such as 1.2.3
 * @param released every released version; others count for nothing
 */
export function imageTags(version: string, released: readonly string[]): readonly string[] {
  const newer = released.filter((other) => isVersion(other) && isNewer(other, version))
  const [major = '', minor = ''] = version.split('.')
  const line = `${major}.${minor}`
  return [
    version,
    ...(newer.some((other) => other.startsWith(`${line}.`)) ? [] : [line]),
    ...(major === '0' || newer.some((other) => other.startsWith(`${major}.`)) ? [] : [major]),
    ...(newer.length > 0 ? [] : ['latest']),
  ]
}
