import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { tryRun } from '../../../scripts/run.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { stretchedMs } from '../../support/wait.ts'

const PROJECT = 'hermes-test-compose'
const why = whyMissing('docker-compose')
if (process.env.HERMES_REQUIRE_DOCKER === '1' && why !== undefined) throw new Error(why)

/** The checkout's compose.yaml with the image under test, without its ports, which another test may have. */
async function composeFile(): Promise<object> {
  const { services, ...rest } = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'))
  const { build: _, ports: __, ...hermes } = services.hermes
  const image = await testImage()
  const after = {
    image,
    entrypoint: ['echo', 'hermes is healthy'],
    depends_on: { hermes: { condition: 'service_healthy' } },
  }
  return { ...rest, services: { hermes: { ...hermes, image }, after } }
}

test.skipIf(why !== undefined)(
  named('the service of compose.yaml is healthy within 5 s of its start, and what waits for that starts', why),
  { timeout: 400_000 },
  async () => {
    const dir = scratchDir('hermes-compose-')
    const file = join(dir, 'compose.yaml')
    writeFileSync(file, stringify(await composeFile()))
    const compose = (...args: string[]) =>
      tryRun('docker-compose', ['--project-name', PROJECT, '--file', file, ...args], { timeoutMs: 60_000 })
    try {
      const up = await compose('up', '--detach')
      expect([up.code, up.stderr]).toMatchObject([0, expect.stringContaining('done')])
      const { stdout: id } = await compose('ps', '--quiet', 'hermes')
      const { StartedAt, Health } = JSON.parse(await docker(['inspect', '--format', '{{json .State}}', id.trim()]))
      expect(Health.Status).toBe('healthy')
      const [first] = Health.Log as readonly [{ readonly ExitCode: number; readonly End: string }]
      expect(first.ExitCode).toBe(0)
      expect(Date.parse(first.End) - Date.parse(StartedAt)).toBeLessThan(stretchedMs(5_000))
      expect((await compose('logs', 'after')).stdout).toContain('hermes is healthy')
    } finally {
      await compose('down', '--volumes', '--timeout', '10')
    }
  },
)
