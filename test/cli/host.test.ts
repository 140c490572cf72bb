import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { requireHost } from '../../src/cli/commands/host/place.ts'
import { IMAGE_INSTALL } from '../../src/system/programs/install.ts'

const OUTSIDE = { install: '/usr/lib/node_modules/hermes-container/dist', requestedProfile: undefined }

test.each(['start', 'stop'] as const)('hermes %s takes no name, and names the command for a gateway', (verb) => {
  const given = (args: readonly string[], requestedProfile?: string) => (): void =>
    requireHost({ ...OUTSIDE, requestedProfile }, { args, options: {} }, verb)
  expect(given([])).not.toThrow()
  const refused = { code: 'USAGE', exitCode: 2, next: `hermes gateway ${verb} coder` }
  expect(given(['coder'])).toThrow(expect.objectContaining(refused))
  expect(given([], 'coder')).toThrow(expect.objectContaining(refused))
  expect(given(['coder', 'writer'])).toThrow(expect.objectContaining({ next: `hermes gateway ${verb} coder writer` }))
})

test.each(['start', 'stop'] as const)('in its container, hermes %s names the command of the engine', (verb) => {
  const given = (args: readonly string[]) => (): void =>
    requireHost({ ...OUTSIDE, install: IMAGE_INSTALL }, { args, options: {} }, verb)
  const next = `on the host: docker ${verb} ${hostname()}`
  expect(given([])).toThrow(expect.objectContaining({ code: 'USAGE', exitCode: 2, next }))
  // A gateway's name means that gateway, in a container too.
  expect(given(['coder'])).toThrow(expect.objectContaining({ next: `hermes gateway ${verb} coder` }))
})
