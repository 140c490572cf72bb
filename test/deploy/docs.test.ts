// The commands of pages that want a cluster, without one: helm renders what it would install, and kubectl parses its
// command and then finds no server.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tryRunSync } from '../../scripts/run.ts'
import { whyNoKubeTools, withKubeTools } from '../support/deploy/kube-tools.ts'
import { commandBlocks, pages, root, runsWithCluster } from '../support/pages.ts'
import { scratchDir } from '../support/scratch.ts'
import { named } from '../support/tools.ts'

const why = whyNoKubeTools()

const PRELUDE = `set -euo pipefail
helm() {
  local verb=$1; shift
  case $verb in
    install | upgrade) for option; do shift; [[ $option =~ ^--(install|wait|reuse-values)$ ]] || set -- "$@" "$option"; done
      command helm template "$@" >/dev/null;;
    *) command helm "$verb" "$@";;
  esac
}
kubectl() {
  if [[ "$1 $2" == 'create secret' ]]; then command kubectl "$@" --dry-run=client --output yaml; return; fi
  local words
  if words=$(command kubectl --server http://127.0.0.1:9 "$@" 2>&1 </dev/null) || [[ $words =~ (connection refused|was refused) ]]
  then return 0; else echo "$words" >&2; return 1; fi
}
`

const run = (text: string, cwd: string) =>
  tryRunSync('bash', ['-c', PRELUDE + text], { cwd, env: { ...withKubeTools(), KUBECONFIG: join(cwd, 'none') } })

const found = pages()
  .map((page) => ({ path: page.path, blocks: commandBlocks(page).filter(runsWithCluster) }))
  .filter(({ blocks }) => blocks.length > 0)

test('there are pages with commands for a cluster', () => {
  expect(found.map(({ path }) => path)).toContain('docs/kubernetes.md')
})

test.skipIf(why !== undefined).each(found)(named('every command of $path is one of helm or kubectl', why), (page) => {
  const cwd = scratchDir('hermes-cluster-docs-')
  for (const folder of ['deploy', 'docs']) cpSync(join(root, folder), join(cwd, folder), { recursive: true })
  for (const { line, text } of page.blocks) {
    const { code, stdout, stderr } = run(text, cwd)
    expect(code, `${page.path}:${line}\n${stdout}${stderr}`).toBe(0)
  }
})

test
  .skipIf(why !== undefined)
  .each([
    'kubectl exec hermes-0 --no-such-option -- hermes status',
    'kubectl aply -f docs/kubernetes/hermes.yaml',
    'helm install hermes deploy/helm --set replicas=3',
    'helm install hermes deploy/helm --set replica=3',
  ])(named('the check of the pages would see that "%s" is wrong', why), (text) => {
  expect(run(text, root).code).not.toBe(0)
})
