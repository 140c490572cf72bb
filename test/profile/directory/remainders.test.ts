import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createProfile } from '../../../src/profile/directory/create.ts'
import { renameProfile } from '../../../src/profile/directory/remove.ts'
import { scratchDir } from '../../support/scratch.ts'

test.each([
  ['moving', 'hermes profile move coder --cancel keeps it here'],
  ['arriving', 'run hermes profile move coder --to this node again'],
])('while a profile is %s, another one cannot take its name', async (state, next) => {
  const home = scratchDir('home')
  mkdirSync(join(home, 'profiles', `.${state}-coder`), { recursive: true })
  await createProfile(home, 'writer')
  const refused = expect.objectContaining({
    code: 'EXISTS',
    message: expect.stringMatching(/^profile "coder" exists already: it/),
    next: expect.stringContaining(next),
  })
  await expect(createProfile(home, 'coder')).rejects.toEqual(refused)
  await expect(createProfile(home, 'coder', { cloneFrom: 'writer' })).rejects.toEqual(refused)
  await expect(renameProfile(home, 'writer', 'coder')).rejects.toEqual(refused)
  expect(readdirSync(join(home, 'profiles')).sort()).toEqual([`.${state}-coder`, 'writer'])
})
