import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyCheckout, trustHostCertificates } from '../../support/container/checkout.ts'
import { DOCKER_USER, runAsUser } from '../../support/container/docker-user.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { startHostPostgres } from '../../support/container/postgres.ts'
import { type Block, commandBlocks, type Page, pages, runsWithDocker } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'

const dockerBlocks = (page: Page): readonly Block[] =>
  commandBlocks(page).filter((block) => runsWithDocker(page, block))

/**
 * Commands that never end by themselves; they may only stand last in a block, and are left once they have printed
 * something.
 */
const FOLLOWS = /^(tail -F|docker logs -f|docker attach) /

// `docker build` needs what the README's reader has and this machine lacks: a registry for the base image.
const PRELUDE = `
set -eu
# A Ctrl-D that comes before the program reads its terminal ends nothing, so it is typed until the program has gone.
typing() { printf '%s' "$TYPED"; while sleep 1; do printf '\\004' || return 0; done; }
docker() {
  if [ "$1" = build ]; then shift; command docker build --network host --build-arg BASE_IMAGE="$BASE_IMAGE" "$@"
  elif [ "$1 $2" = "run -it" ] || [ "$1 $2" = "exec -it" ]; then typing | script -qec "$(printf '%q ' docker "$@")" /dev/null
  else command docker "$@"; fi
}
`

/** For a page that takes a container for granted. */
const RUNNING = `
mkdir -p ~/.hermes
echo 'agent: {command: [cat]}' >~/.hermes/config.yaml
docker run -d --name hermes -v ~/.hermes:/opt/data -e HERMES_UID="$(id -u)" -e HERMES_GID="$(id -g)" \\
  -p 127.0.0.1:8642:8642 -p 127.0.0.1:9119:9119 -e HERMES_METRICS_TOKEN \\
  -e HERMES_DASHBOARD=1 -e HERMES_DASHBOARD_BASIC_AUTH_USERNAME=me -e HERMES_DASHBOARD_BASIC_AUTH_PASSWORD='a long one' \\
  $SETTINGS hermes gateway run
docker exec hermes hermes gateway start
docker exec hermes hermes profile create coder --start
docker exec hermes hermes dashboard start
`

const API_KEY = 'a-neutral-key-0123'
/** The API server, for pages that take it for granted; the page about it turns it on itself. */
const settings = (page: Page): string =>
  page.text.includes('env set API_SERVER_ENABLED')
    ? ''
    : `-e API_SERVER_ENABLED=1 -e API_SERVER_HOST=0.0.0.0 -e API_SERVER_KEY=${API_KEY}`

/** The script that bash runs for a block: its lines unchanged, but with a time limit for a follower. */
function scriptOf({ text }: Block): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const last = lines.at(-1) ?? ''
  if (!FOLLOWS.test(last)) return PRELUDE + lines.join('\n')
  const follower = last.replace(/ +#.*$/, '')
  return `${PRELUDE + lines.slice(0, -1).join('\n')}\ntimeout 20 sh -c ${JSON.stringify(`${follower} | head -n 1`)}`
}

/** Names our pages give to what they start; a run that was cut off may have left some, too. */
const tidy = async (): Promise<void> => {
  for (const name of ['hermes', 'alone', 'h1'])
    await docker(['rm', '--force', '--volumes', name]).catch(() => undefined)
  await docker(['volume', 'rm', '--force', 'hermes-data'])
}
beforeEach(tidy)
afterEach(tidy)

test.each(pages().filter((page) => dockerBlocks(page).length > 0))(
  'every command of $path works as it is written',
  { timeout: 600_000 },
  async (page) => {
    const image = await testImage()
    await docker(['tag', image, 'hermes'])
    const base = await docker([
      'image',
      'inspect',
      image,
      '--format',
      '{{index .Config.Labels "org.opencontainers.image.base.name"}}',
    ])
    const home = scratchDir('hermes-docs-')
    // A checkout of one's own, so that a page may write into it.
    const checkout = join(home, 'checkout')
    copyCheckout(checkout)
    trustHostCertificates(checkout)
    await promisify(execFile)('chown', ['--recursive', '--no-dereference', `${DOCKER_USER}:${DOCKER_USER}`, home])
    await using server = page.text.includes('$DATABASE_URL') ? await startHostPostgres('neutral') : undefined
    const env = {
      HOME: home,
      BASE_IMAGE: base.trim(),
      DOCKER_BUILDKIT: '0',
      COMPOSE_DOCKER_CLI_BUILD: '0',
      SETTINGS: settings(page),
      API_SERVER_KEY: API_KEY,
      HERMES_METRICS_TOKEN: 'a-neutral-token-0123',
      KEY: 'neutral-key-0123',
      DATABASE_URL: server?.url ?? '',
      // Typed into commands that ask: an endpoint, a model, the usual name of a key, a key; then the end of the input.
      TYPED: 'http://127.0.0.1:9/v1\rmodel\r\rneutral-key-0123\r',
    }
    // A page about compose starts its container itself, on the same ports.
    if (!/docker run .*--name hermes|docker-compose up/.test(page.text)) {
      const { code, output } = await runAsUser(PRELUDE + RUNNING, checkout, env)
      expect(code, output).toBe(0)
    }
    for (const block of dockerBlocks(page)) {
      const { code, output } = await runAsUser(scriptOf(block), checkout, env)
      expect(code, `${page.path}:${block.line}\n${output}`).toBe(0)
    }
  },
)

test('the check of the pages would see a command that fails', async () => {
  const block: Block = { info: 'sh', line: 1, text: 'docker run --rm hermes sh -c "exit 3"\ntrue' }
  await docker(['tag', await testImage(), 'hermes'])
  expect((await runAsUser(scriptOf(block), tmpdir(), { BASE_IMAGE: '' })).code).toBe(3)
})
