import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../../scripts/run.ts'
import { startContainer } from '../../support/container/container.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { installDir } from '../../support/install.ts'
import { blocks, root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const path = 'docs/devcontainer.md'
const [commands, settings] = blocks({ path, text: readFileSync(join(root, path), 'utf8') })

test('the feature, made as its page says, brings hermes and its supervisor into a container of others', async () => {
  const checkout = scratchDir('hermes-feature-')
  symlinkSync(join(root, 'deploy'), join(checkout, 'deploy'))
  symlinkSync(installDir(), join(checkout, 'dist'))
  // The tree is built already.
  const script = `set -eu; npm() { [ "$*" = 'run build' ]; }; ${commands?.text}`
  await run('sh', ['-c', script], { cwd: checkout })
  mkdirSync(join(checkout, 'empty'))
  const feature = join(checkout, 'project/.devcontainer/hermes')
  const label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
  await using box = await startContainer({
    image: await docker(['image', 'inspect', '--format', label, await testImage()]),
    entrypoint: ['sleep', '1000'],
    mounts: [[feature, '/feature', 'ro']],
  })
  const install = (command: string, env = {}) => box.exec(['sh', '-c', command], { env })

  // A missing part stops it before anything is written.
  expect(await install('cp /feature/install.sh /tmp; sh /tmp/install.sh')).toMatchObject({
    code: 1,
    stderr: 'hermes: /tmp/hermes.tar.gz is missing; make it (docs/devcontainer.md), or set the option archive\n',
  })
  expect(await install('sh /feature/install.sh', { ARCHIVE: 'x.tar.gz' })).toMatchObject({
    code: 1,
    stderr: 'hermes: the option archive is no https address: x.tar.gz\n',
  })
  expect(await install('PATH=/bin; sh /feature/install.sh')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^hermes: there is no Node; add the feature /),
  })
  expect((await install('ls /usr/local/lib/hermes /usr/local/bin/hermes')).stdout).toBe('')

  const installed = await install('sh /feature/install.sh')
  expect(installed).toMatchObject({ code: 0, stderr: '' })
  expect(installed.stdout).toMatch(/^hermes \d+\.\d+\.\d+, in \/usr\/local\/lib\/hermes\n$/)
  // A second time, as when the container is made anew from a cached layer.
  expect((await install('sh /feature/install.sh')).code).toBe(0)

  const { postStartCommand } = JSON.parse(settings?.text ?? '') as { postStartCommand: string }
  const env = { HOME: '/tmp/home' }
  const asUser = (command: string) => box.exec(['sh', '-c', command], { user: '1000', env })
  expect((await asUser(`mkdir -p "$HOME"; cd; ${postStartCommand}`)).code).toBe(0)
  const status = await waitFor('the supervisor to answer', async () => {
    const { code, stdout } = await asUser('hermes status --json')
    return code === 0 && stdout
  })
  expect(JSON.parse(status)).toMatchObject({ identity: { uid: 1000 } })
  expect((await asUser('ls -d "$HOME/.hermes/logs"')).code).toBe(0)
})
