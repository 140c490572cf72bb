import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dockerCommand, gatewayOf, startContainer } from '../../support/container/container.ts'
import { testImage } from '../../support/container/image.ts'
import { root } from '../../support/pages.ts'

/** An agent's image as others make it: an entry point, a user and a Node of its own, and no idea of hermes. */
const THEIRS = (base: string): string => `FROM ${base}
RUN printf '#!/bin/sh\\necho "their node $*"\\n' >/usr/local/bin/node \\
 && printf '#!/bin/sh\\necho "prepared as $(id -un)"\\nexec "$@"\\n' >/entry.sh \\
 && printf '#!/bin/sh\\nnode agent "$@"\\nexec sleep 1000\\n' >/usr/local/bin/my-agent \\
 && chmod 755 /entry.sh /usr/local/bin/my-agent \\
 && echo 'agent:x:1000:1000::/:/bin/sh' >>/etc/passwd
USER agent
ENTRYPOINT ["/entry.sh"]
CMD ["my-agent"]
`

async function build(tag: string, dockerfile: string): Promise<void> {
  process.env.DOCKER_BUILDKIT = '0' // the only builder a plain Debian has
  const { code, stdout, stderr } = await dockerCommand(['build', '--tag', tag, '-'], { input: dockerfile })
  if (code !== 0) throw new Error(`docker build: ${code}\n${stdout}${stderr}`)
}

test('the recipe makes an image with an entry point, a user and a Node of its own supervise its agent', async () => {
  const image = await testImage()
  const { stdout: base } = await dockerCommand([
    'image',
    'inspect',
    image,
    '--format',
    '{{index .Config.Labels "org.opencontainers.image.base.name"}}',
  ])
  const [, recipe = ''] =
    /```dockerfile\n(.*?)```/s.exec(readFileSync(join(root, 'docs/add-to-an-image.md'), 'utf8')) ?? []
  const [theirs, both] = ['hermes-test-theirs', 'hermes-test-added']
  try {
    await build(theirs, THEIRS(base.trim()))
    await build(
      both,
      recipe.replace('FROM your-agent', `FROM ${theirs}`).replaceAll('--from=hermes', `--from=${image}`),
    )
    await using box = await startContainer({
      image: both,
      files: { 'config.yaml': gatewayOf('/entry.sh', 'my-agent', '--serve') },
    })
    await box.up('gateway-default')
    await box.saw('prepared as hermes')
    await box.saw('their node agent --serve')
    expect(await box.ok('bash', '-lc', 'hermes version')).toMatch(/^hermes \d/)
    expect(await box.ok('node', '--version')).toBe('their node --version\n')
    expect((await box.stop()).code).toBe(0)
  } finally {
    await dockerCommand(['rmi', '--force', both, theirs])
  }
})
