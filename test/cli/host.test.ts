import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { requireHost } from '../../src/cli/commands/host/place.ts'
import { unitText } from '../../src/cli/commands/host/unit.ts'
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

const UNIT = {
  hermes: '/opt/a "b" %h $c/bin/hermes',
  home: '/home/alice/100%',
  path: '/usr/bin:/bin',
  settings: { HERMES_STOP_TIMEOUT: '120' },
  user: 'alice',
} as const

test('a unit has the words of its facts, whatever characters they have', () => {
  const lines = unitText({ ...UNIT, kind: 'system' }).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'Description=Hermes, supervised agent profiles in /home/alice/100%%',
      'Type=notify',
      'ExecStart="/opt/a \\"b\\" %%h $$c/bin/hermes" start',
      'User=alice',
      'Environment="HERMES_HOME=/home/alice/100%%"',
      'Environment="HERMES_STOP_TIMEOUT=120"',
      // Longer than the programs have.
      'TimeoutStopSec=150',
      'NoNewPrivileges=yes',
      'ProtectSystem=full',
      'WantedBy=multi-user.target',
    ]),
  )
  // It forbids the mode of s6's event directories (src/supervisor/s6): no gateway could start.
  expect(lines.join()).not.toContain('RestrictSUIDSGID')
})

test('the unit of a user needs nothing that only the manager of the system has', () => {
  const text = unitText({ ...UNIT, kind: 'user', user: undefined, settings: {} })
  expect(text).toMatch(/^NoNewPrivileges=yes$/m)
  expect(text).toMatch(/^WantedBy=default\.target$/m)
  expect(text).toMatch(/^TimeoutStopSec=38$/m)
  expect(text).not.toMatch(/^(User|Protect\w+|CapabilityBoundingSet|After|Wants)=/m)
})
