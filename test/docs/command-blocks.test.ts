// Every block of commands in README and docs is typed by a test, by its own if it stands here.
import { expect, test } from 'vitest'
import { blocks, commandBlocks, pages, runsByHand, runsWithCluster, runsWithDocker } from '../support/pages.ts'

/** Blocks that only their own tests type. */
const ELSEWHERE = {
  'CONTRIBUTING.md': 'test/process/checkout/contributing.test.ts',
  'docs/debugging.md': 'test/process/checkout/contributing.test.ts',
  'docs/devcontainer.md': 'test/container/image/devcontainer.test.ts',
  // Its stacks: test/container/engines/swarm.test.ts.
  'docs/many-machines.md': 'test/container/alone/many-machines.test.ts',
  'docs/podman.md': 'test/container/engines/podman.test.ts',
  'docs/swarm.md': 'test/container/engines/swarm.test.ts',
  'docs/install.md': 'test/process/checkout/install.test.ts',
  // `npm ci` wants the registry; what it makes, and the rest, is in
  'README.md': 'test/process/checkout/npm-start.test.ts',
  'docs/first-run.md': 'test/process/checkout/npm-start.test.ts',
} as const

test('every block of commands is typed by a test', () => {
  const left = pages().flatMap((page) =>
    commandBlocks(page)
      .filter((block) => !runsWithDocker(page, block) && !runsByHand(page, block) && !runsWithCluster(block))
      .map(() => page.path),
  )
  expect([...new Set(left)].sort()).toEqual(Object.keys(ELSEWHERE).sort())
})

test('no block of commands is left out by its mark', () => {
  expect(pages().flatMap((page) => blocks(page).filter(({ info }) => /^sh\b./.test(info)))).toEqual([])
})
