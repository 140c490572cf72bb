import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/pages.ts'

const folder = join(root, 'deploy/devcontainer/hermes')
const feature = JSON.parse(readFileSync(join(folder, 'devcontainer-feature.json'), 'utf8'))

test('the feature has the name of its folder and the version of the project', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect(feature).toMatchObject({ id: basename(folder), version, name: 'Hermes' })
  expect(basename(dirname(folder))).toBe('devcontainer')
})

test('install.sh can be run, and reads the variable of each option', () => {
  const script = readFileSync(join(folder, 'install.sh'), 'utf8')
  expect(statSync(join(folder, 'install.sh')).mode & 0o111).toBe(0o111)
  for (const [name, option] of Object.entries(feature.options)) {
    expect(option).toMatchObject({ type: 'string', description: expect.any(String), default: '' })
    expect(script).toContain(`$${name.toUpperCase()}`)
  }
})
