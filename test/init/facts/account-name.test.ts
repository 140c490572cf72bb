// The name that gateways get in USER and LOGNAME, by the accounts of the machine.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { gatherFacts } from '../../../src/init/facts/facts.ts'
import { IMAGE_INSTALL } from '../../../src/system/programs/install.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyNotRoot } from '../../support/tools.ts'

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nalice:x:1234:1234::/home/alice:/bin/sh\n'
const GROUP = 'root:x:0:\nalice:x:1234:\none:x:61029:alice\nother:x:61044:hermes\n'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-accounts-')
  writeFileSync(join(dir, 'passwd'), PASSWD)
  writeFileSync(join(dir, 'group'), GROUP)
})

const identityOf = (install: string, env: Record<string, string>, foreground = false) => {
  const options = { install, foreground, argv: [], env: { HERMES_HOME: join(dir, 'home'), ...env } }
  return gatherFacts(options, { passwd: join(dir, 'passwd'), group: join(dir, 'group') }).identity
}

describe.skipIf(whyNotRoot !== undefined)('root that becomes another user', () => {
  test(named('outside of the image has the name of that account, and its groups', whyNotRoot), () => {
    const { user, groups } = identityOf('/opt/elsewhere', { HERMES_UID: '1234', HERMES_GID: '1234' })
    expect(user).toBe('alice')
    expect(groups).toContain(61_029)
    expect(groups).not.toContain(61_044)
    expect(readFileSync(join(dir, 'passwd'), 'utf8')).toBe(PASSWD)
  })

  test(
    named('has the number for its name where no account has it, and never one that does not exist', whyNotRoot),
    () => {
      expect(identityOf('/opt/elsewhere', { HERMES_UID: '4321', USER: 'root' }).user).toBe('4321')
    },
  )

  test(named('in the image is hermes, whatever its number, and the accounts say so', whyNotRoot), () => {
    expect(identityOf(IMAGE_INSTALL, { HERMES_UID: '1234', HERMES_GID: '1234' }).user).toBe('hermes')
    expect(readFileSync(join(dir, 'passwd'), 'utf8')).toMatch(/^hermes:x:1234:1234:/m)
  })

  test(named('stays root in the foreground, by the name that root has there', whyNotRoot), () => {
    writeFileSync(join(dir, 'passwd'), PASSWD.replace('root:', 'toor:'))
    expect(identityOf('/opt/elsewhere', { USER: 'hermes' }, true).user).toBe('toor')
  })
})
