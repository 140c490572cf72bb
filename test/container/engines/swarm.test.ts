import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { joinSwarm } from '../../support/container/swarm.ts'
import { commandBlocks, type Page, pages } from '../../support/pages.ts'

test('every command of docs/swarm.md works as it is written', async () => {
  await using _ = await joinSwarm(['hermes'])
  await docker(['tag', await testImage(), 'hermes'])
  const page = pages().find(({ path }) => path === 'docs/swarm.md')
  for (const { line, text } of commandBlocks(page as Page)) {
    const { status, stdout, stderr } = spawnSync('bash', ['-ec', text], { encoding: 'utf8' })
    expect(status, `docs/swarm.md:${line}\n${stdout}${stderr}`).toBe(0)
  }
})
