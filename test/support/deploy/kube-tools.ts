// helm and kubectl: the ones that scripts/testing/fetch-kube-tools.ts has fetched, or else those on PATH.
import { join } from 'node:path'
import { type Ran, type RunOptions, tryRunSync } from '../../../scripts/run.ts'
import { cacheDir } from '../container/engine.ts'

/** Directory of the fetched ones. */
export const kubeTools = (): string => join(cacheDir(), 'helm-4.1.4-kubectl-1.33')

/** The environment in which both are found. */
export const withKubeTools = (): Readonly<Record<string, string>> => ({
  ...(process.env as Record<string, string>),
  PATH: `${kubeTools()}:${process.env.PATH}`,
})

export const helm = (args: readonly string[], options: RunOptions = {}): Ran =>
  tryRunSync('helm', args, { env: withKubeTools(), ...options })
export const kubectl = (args: readonly string[], options: RunOptions = {}): Ran =>
  tryRunSync('kubectl', args, { env: withKubeTools(), ...options })

/**
 * Why the chart cannot be tried here, in one line; undefined: it can.
 * @throws where containers have to be tried, too
 */
export function whyNoKubeTools(): string | undefined {
  const { code } = tryRunSync('sh', ['-c', 'command -v helm && command -v kubectl'], { env: withKubeTools() })
  const why = code === 0 ? undefined : 'helm and kubectl are not on PATH; npm run kube-tools fetches them (37 MB)'
  if (why !== undefined && process.env.HERMES_REQUIRE_DOCKER === '1') throw new Error(why)
  return why
}
