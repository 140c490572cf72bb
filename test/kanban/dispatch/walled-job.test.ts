// A task of a walled profile gets no worker: it would run as the runtime user.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prepareJob, type SpawnFacts } from '../../../src/kanban/jobs/spawn.ts'
import { recordText } from '../../../src/walls/record.ts'
import { scratchDir } from '../../support/scratch.ts'

test('a task of a walled profile fails in one line, and leaves nothing behind', () => {
  const home = scratchDir('hermes-walled-job-')
  const wall = { uid: 20_000, essential: false, memoryLimit: null }
  writeFileSync(join(home, 'walls.json'), recordText(new Map([['coder', wall]])), { mode: 0o600 })
  const facts = { home, profile: 'coder', agent: {}, task: { id: 't_1' } } as SpawnFacts
  expect(() => prepareJob(facts)).toThrow('profile "coder" is walled, and tasks of walled profiles do not run yet')
  expect(existsSync(join(home, 'profiles'))).toBe(false)
})
