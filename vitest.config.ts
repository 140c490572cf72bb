import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes half a minute and more, longest first; begun last, one of them would be waited for alone. Vitest knows sizes only. */
const LONGEST = [
  'process/supervisor/crash',
  'process/s6/contract',
  'browser/views',
  'process/checkout/npm-start',
  'process/checkout/docs',
  'process/kanban/kanban',
  'process/volume/fuzz',
  'browser/overview',
  'process/checkout/contributing',
  'browser/log',
  'process/supervisor/profile-create-killed',
  'browser/kanban',
  'process/checkout/npm-dev',
  'container/image/docs',
  'container/engines/swarm',
  'container/engines/podman',
]
for (const name of LONGEST) statSync(join(import.meta.dirname, 'test', `${name}.test.ts`))
const rank = ({ moduleId }: TestSpecification): number => {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return place === -1 ? LONGEST.length : place
}
/** Where tests of whole programs are; the folders beside these have tests of one part each. */
const WHOLE = ['test/process/**', 'test/container/**', 'test/browser/**']
/** What a test of a part imports that starts programs or servers, opens a database, or asks the kernel through our own binding. */
const REAL = [
  'test/kanban/port/contract.ts',
  'scripts/run.ts',
  'src/gateway/agent/command.ts',
  'test/log/scene.ts',
  'test/support/cli.ts',
  'test/support/dashboard/identity-provider.ts',
  'test/support/deploy/kube-tools.ts',
  'test/support/dashboard/openai-upstream.ts',
  'test/support/gateway.ts',
  'test/support/hostile/memory-disk.ts',
  'test/support/install.ts',
  'test/support/kanban/board.ts',
  'test/support/kanban/cli.ts',
  'test/support/kanban/postgres.ts',
  'test/support/supervisor/real-native.ts',
].map((file) => join(import.meta.dirname, file))
for (const file of REAL) statSync(file) // one that has moved would be looked for in vain
const ofReal = globSync('test/**/*.test.ts', { exclude: WHOLE }).filter((file) =>
  [...readFileSync(file, 'utf8').matchAll(/ from '([^']+)'/g)].some(
    ([, name = '']) => name === 'node:child_process' || REAL.includes(resolve(dirname(file), name)),
  ),
)

const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => group(a) - group(b) || rank(a) - rank(b))
  }
}

// The limits are deadlines, not expectations: a waiting test prints what it saw (test/support/wait.ts) long before these pass.
export default defineConfig({
  test: {
    // Two thirds of the time a test waits for processes or containers: two cores are busy with five.
    maxWorkers: 5,
    // Node itself takes the types away and loads the modules; vite would transform each of them first.
    experimental: { viteModuleRunner: false },
    sequence: { sequencer: LongestFirst },
    setupFiles: 'scripts/testing/ends-with-run.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...WHOLE, ...ofReal],
          // A process for each file would cost more than the files do; they share no state, because modules here have none.
          isolate: false,
          // They compute; nothing waits.
          maxWorkers: '100%',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'parts',
          include: ofReal,
          globalSetup: 'test/support/build-install.ts',
          isolate: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 300_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 300_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'container',
          include: ['test/container/**/*.test.ts'],
          exclude: ['test/container/alone/**'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 400_000,
          hookTimeout: 400_000,
          // Not beside tests of processes: to the kernel all containers together count as one process (cgroup v1).
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/container/alone/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 400_000,
          hookTimeout: 400_000,
          // What they measure is not theirs alone while others keep the engine busy.
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
