import { describe, expect, test } from 'vitest'
import { withGroup, withUser } from '../../../src/init/facts/accounts.ts'
import {
  privilegedWarning,
  requestedIds,
  setprivPrefix,
  supplementaryGroups,
  whyNoDrop,
} from '../../../src/init/facts/identity.ts'

describe('the ids that are asked for', () => {
  test.each([
    { env: {}, ids: { uid: 10_000, gid: 10_000 } },
    { env: { PUID: '99', PGID: '100' }, ids: { uid: 99, gid: 100 } },
    { env: { HERMES_UID: '1', PUID: '2' }, ids: { uid: 1, gid: 10_000 } },
    { env: { HERMES_UID: '', PUID: '', HERMES_GID: '65534' }, ids: { uid: 10_000, gid: 65_534 } },
    { env: { HERMES_GID: '', PGID: '7' }, ids: { uid: 10_000, gid: 7 } },
  ])('$env means $ids', ({ env, ids }) => {
    expect(requestedIds(env)).toEqual(ids)
  })

  test.each(['0', '-1', '65535', '1.5', 'root', '10 00', '0x10', '1e3', ' 5', '00000000001'])(
    '"%s" is not an id',
    (text) => {
      expect(() => requestedIds({ PGID: text })).toThrow(`PGID: expected a whole number from 1 to 65534, got "${text}"`)
    },
  )

  test('a bad HERMES_UID is an error even where PUID is good', () => {
    expect(() => requestedIds({ HERMES_UID: 'x', PUID: '5' })).toThrow('HERMES_UID')
  })
})

describe('supplementary groups', () => {
  const groupFile =
    'root:x:0:\nadm:x:4:root,hermes\naudio:x:29:hermes\nvideo:x:44:someone\ndisk:x:6:root\nhermes:x:10000:\n'

  test('are those of /etc/group and those that were added, without root’s own and group 0', () => {
    const groups = supplementaryGroups({
      groupFile,
      user: 'hermes',
      gid: 10_000,
      own: [0, 4, 6, 44, 4567],
      dockerSocketGid: 998,
    })
    // 4 is the user's own by /etc/group, although it is root's, too.
    expect(groups).toEqual([4, 29, 44, 998, 4567])
  })

  test('a docker.sock of group 0 adds no membership, and the primary group is not named twice', () => {
    expect(supplementaryGroups({ groupFile: '', user: 'hermes', gid: 5, own: [5], dockerSocketGid: 0 })).toEqual([])
  })
})

describe('why root cannot be given up', () => {
  const status = (caps: bigint): string => `Name:\tnode\nCapEff:\t${caps.toString(16).padStart(16, '0')}\n`
  const all = (1n << 41n) - 1n
  const whole = '         0          0 4294967295\n'

  test('with all rights there is no reason', () => {
    expect(whyNoDrop(10_000, status(all), whole)).toBeUndefined()
  })

  test.each([
    [all & ~(1n << 7n), 'CAP_SETUID is missing'],
    [all & ~(1n << 6n), 'CAP_SETGID is missing'],
    [0n, 'CAP_SETUID and CAP_SETGID are missing'],
  ])('%s', (caps, why) => {
    expect(whyNoDrop(10_000, status(caps), whole)).toBe(why)
  })

  test('an id beyond the user namespace is named', () => {
    expect(whyNoDrop(10_000, status(all), '0 100000 1000\n2000 5000 10\n')).toBe(
      'uid 10000 does not exist in this user namespace',
    )
    expect(whyNoDrop(2_009, status(all), '0 100000 1000\n2000 5000 10\n')).toBeUndefined()
  })
})

describe('a privileged container', () => {
  const status = (bounding: string): string => `CapEff:\t0000000000000000\nCapBnd:\t${bounding}\nCapAmb:\t0\n`
  const host = '         0          0 4294967295\n'

  test.each([
    ['all of a new kernel', '000001ffffffffff', true],
    ['those that an older engine knows', '0000003fffffffff', true],
    ['those of an engine that lacks one itself', '000001fffeffffff', true],
    ["Docker's default", '00000000a80425fb', false],
    ['SYS_ADMIN in addition, for FUSE', '00000000a82425fb', false],
    ['none', '0000000000000000', false],
  ])('with these capabilities: %s (%s), it is %s', (_, bounding, expected) => {
    expect(privilegedWarning(status(bounding), host) !== undefined).toBe(expected)
  })

  test('is one only where its root is the root of the host', () => {
    expect(privilegedWarning(status('000001ffffffffff'), '0 1000 1\n1 100000 65536\n')).toBeUndefined()
  })
})

test('setpriv gets every part of the identity, also that there are no groups', () => {
  const identity = { uid: 1, gid: 2, groups: [3, 4], user: 'hermes', home: '/' }
  expect(setprivPrefix(identity).join(' ')).toBe('/usr/bin/setpriv --reuid 1 --regid 2 --groups 3,4 --')
  expect(setprivPrefix({ ...identity, groups: [] }).join(' ')).toBe(
    '/usr/bin/setpriv --reuid 1 --regid 2 --clear-groups --',
  )
})

describe('passwd and group', () => {
  const passwd =
    'root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/sh\nhermes:x:10000:10000:Hermes:/opt/data:/bin/zsh\n'
  const account = { user: 'hermes', uid: 10_000, gid: 10_000, home: '/opt/data' }

  test('a file that already has the entry stays as it is', () => {
    expect(withUser(passwd, account)).toBe(passwd)
  })

  test('a remap keeps home and shell, and comes before another user with that uid: the first name counts', () => {
    expect(
      withUser(passwd, { ...account, uid: 1000, gid: 100 })
        .split('\n')
        .slice(0, 3),
    ).toEqual([
      'root:x:0:0:root:/root:/bin/bash',
      'hermes:x:1000:100:Hermes:/opt/data:/bin/zsh',
      'node:x:1000:1000::/home/node:/bin/sh',
    ])
  })

  test('a remap of ids that no other user has stays in its place', () => {
    expect(withUser(passwd, { ...account, uid: 5 })).toBe(passwd.replace('hermes:x:10000', 'hermes:x:5'))
  })

  test('an image without the user gets it', () => {
    expect(withUser('root:x:0:0:root:/root:/bin/bash', account)).toBe(
      'root:x:0:0:root:/root:/bin/bash\nhermes:x:10000:10000:Hermes:/opt/data:/bin/sh\n',
    )
  })

  test('a group keeps its members', () => {
    expect(withGroup('users:x:100:\nhermes:x:10000:a,b\n', { ...account, gid: 100 })).toBe(
      'hermes:x:100:a,b\nusers:x:100:\n',
    )
  })

  test('twice changes nothing the second time', () => {
    for (const uid of [5, 0, 1000, 10_000]) {
      const once = withUser(passwd, { ...account, uid })
      expect(withUser(once, { ...account, uid })).toBe(once)
    }
  })
})
