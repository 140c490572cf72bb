// Every block of commands in README and docs is typed by a test, or stands here with the reason why none can.
import { expect, test } from 'vitest'
import { blocks, commandBlocks, pages, runsByHand, runsWithDocker } from '../support/pages.ts'

/** Blocks that only their own tests type. */
const ELSEWHERE = {
  'CONTRIBUTING.md': 'test/process/checkout/contributing.test.ts',
  'docs/debugging.md': 'test/process/checkout/contributing.test.ts',
  'docs/podman.md': 'test/container/engines/podman.test.ts',
  'docs/swarm.md': 'test/container/engines/swarm.test.ts',
  // `npm ci` wants the registry; what it makes, and the rest, is in
  'README.md': 'test/process/checkout/npm-start.test.ts',
  'docs/first-run.md': 'test/process/checkout/npm-start.test.ts',
} as const

/** Marked `sh norun`: the first line, and why. */
const NOT_RUN = {
  'kubectl apply -f docs/kubernetes/hermes.yaml':
    'wants a cluster; deployment-files.test.ts has the manifests read by kubectl and checked by the schemas',
} as const

test('every block of commands is typed by a test', () => {
  const left = pages().flatMap((page) =>
    commandBlocks(page)
      .filter((block) => !runsWithDocker(page, block) && !runsByHand(page, block))
      .map(() => page.path),
  )
  expect([...new Set(left)].sort()).toEqual(Object.keys(ELSEWHERE).sort())
})

test('those that are marked not to be run are the ones that cannot be', () => {
  const marked = pages().flatMap((page) => blocks(page).filter(({ info }) => info.includes('norun')))
  expect(marked.map(({ text }) => text.split('\n')[0])).toEqual(Object.keys(NOT_RUN))
})
