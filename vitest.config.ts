import { defineConfig } from 'vitest/config'

// The limits are deadlines, not expectations: a waiting test prints what it saw (test/support/wait.ts) long before these pass.
export default defineConfig({
  test: {
    // Most of the time a test waits for processes: two cores are busy with four.
    maxWorkers: 4,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/process/**', 'test/container/**', 'test/browser/**'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 120_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 120_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'container',
          // The engine builds and runs for all of them.
          maxWorkers: 2,
          include: ['test/container/**/*.test.ts'],
          globalSetup: 'test/support/build-install.ts',
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
