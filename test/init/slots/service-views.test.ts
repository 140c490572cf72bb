import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { serviceView } from '../../../src/init/slots/service-views.ts'
import { scratchDir } from '../../support/scratch.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-views-')
  for (const path of ['web/data', 'web/log', 'alone']) mkdirSync(join(dir, 'etc', path), { recursive: true })
  for (const path of ['web/run', 'web/data/word', 'web/log/run', 'alone/run', 'other'])
    writeFileSync(join(dir, 'etc', path), path)
})

const viewOf = (service: string): string =>
  serviceView(join(dir, 'views'), join(dir, 'etc', service), join(dir, 'slot'))

test('a logger that starts before its service finds the files of that one by ..', () => {
  const view = viewOf('web/log')
  expect(readFileSync(join(view, '../data/word'), 'utf8')).toBe('web/data/word')
  expect(readFileSync(join(view, 'run'), 'utf8')).toBe('web/log/run')
  // The service's own start adds what is the slot's.
  expect(readdirSync(viewOf('web')).sort()).toEqual(['data', 'down', 'event', 'log', 'run', 'supervise'])
  expect(readFileSync(join(view, 'run'), 'utf8')).toBe('web/log/run')
})

test('a service finds nothing that lies beside its directory', () => {
  expect(readdirSync(join(viewOf('alone'), '..'))).toEqual(['alone'])
})
