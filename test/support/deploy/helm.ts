// The chart in deploy/helm, rendered by helm itself.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { root } from '../pages.ts'
import { helm } from './kube-tools.ts'
import type { Manifest } from './manifests.ts'

export const CHART = join(root, 'deploy/helm')

/** Files with values, each a way to use the chart. */
export const valuesFiles = (): readonly string[] =>
  readdirSync(join(CHART, 'ci')).map((name) => join(CHART, 'ci', name))

const outputs = new Map<string, string>()

/**
 * What `helm template` prints for a release named `hermes`. The same options are rendered once.
 * @param options such as `--set replicas=3`
 * @throws with helm's own words when it refuses the values
 */
export function templateOf(...options: readonly string[]): string {
  const known = outputs.get(options.join(' '))
  if (known !== undefined) return known
  const { code, stdout, stderr } = helm(['template', 'hermes', CHART, ...options])
  if (code !== 0) throw new Error(stderr)
  outputs.set(options.join(' '), stdout)
  return stdout
}

/** The objects of {@link templateOf}. */
export const rendered = (...options: readonly string[]): readonly Manifest[] => manifestsOf(templateOf(...options))

export const manifestsOf = (text: string): readonly Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
