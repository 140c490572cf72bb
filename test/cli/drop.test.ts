import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { findIdentity, findWalled, type IdentitySources } from '../../src/cli/terminal/drop.ts'
import { program } from '../support/install.ts'
import { scratchDir } from '../support/scratch.ts'
import { named, whyNotRoot } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const IDENTITY = { uid: 10_000, gid: 10_001, groups: [10_001, 20], user: 'hermes', home: '/opt/data' }

/** Listens as a supervisor, runs `gateway stop`, and prints what that process is when it has connected. */
const SHOWS_ITS_CLIENT = `
const { spawn } = require('node:child_process')
const { chmodSync, readFileSync, statSync } = require('node:fs')
const path = '/run/hermes/control.sock'
const server = require('node:net').createServer(() => {
  const status = readFileSync('/proc/' + client.pid + '/status', 'latin1').replaceAll('\\t', ' ').split('\\n')
  const shown = status.filter((line) => /^(Uid|Gid|Groups|CapEff)/.test(line)).map((line) => line.replaceAll(/ +/g, ' '))
  console.log([...shown, 'environ belongs to ' + statSync('/proc/' + client.pid + '/environ').uid].join('\\n'))
  client.kill('SIGKILL')
  process.exit()
})
let client
server.listen(path, () => {
  chmodSync(path, 0o666)
  client = spawn(process.env.HERMES, ['gateway', 'stop'], { stdio: 'inherit' })
})
`

let dir: string
let sources: IdentitySources
beforeEach(() => {
  dir = scratchDir('hermes-drop-')
  chmodSync(dir, 0o755)
  sources = {
    identityFile: join(dir, 'identity'),
    passwd: join(dir, 'passwd'),
    group: join(dir, 'group'),
    install: '/opt/hermes',
  }
  writeFileSync(sources.passwd, 'root:x:0:0::/root:/bin/sh\nhermes:x:10000:10001::/opt/data:/bin/sh\n')
  writeFileSync(sources.group, 'root:x:0:hermes\nhermes:x:10001:\naudio:x:29:other,hermes\n')
})

describe('the user that a root caller becomes', () => {
  test.skipIf(!isRoot)(named('is what init wrote', whyNotRoot), () => {
    writeFileSync(sources.identityFile, JSON.stringify(IDENTITY))
    expect(findIdentity(sources)).toEqual(IDENTITY)
    expect(findIdentity({ ...sources, install: '/somewhere/dist' })).toEqual(IDENTITY)
  })

  test.skipIf(!isRoot)(
    named('is the owner of the file, whatever it says, where init itself was not root', whyNotRoot),
    () => {
      writeFileSync(sources.identityFile, JSON.stringify({ ...IDENTITY, uid: 0, gid: 0, groups: [0] }))
      chownSync(sources.identityFile, 1234, 5678)
      const owner = { uid: 1234, gid: 5678, groups: [5678], user: '1234', home: '/opt/data' }
      expect(findIdentity(sources)).toEqual(owner)
    },
  )

  test("is the image's user hermes where init wrote nothing, with its groups and without root's", () => {
    expect(findIdentity(sources)).toEqual({
      uid: 10_000,
      gid: 10_001,
      groups: [10_001, 29],
      user: 'hermes',
      home: '/opt/data',
    })
  })

  test('is root itself in a checkout', () => {
    expect(findIdentity({ ...sources, install: '/home/me/hermes/dist' })).toBeUndefined()
  })

  test.each([
    [
      'an image without that user',
      () => writeFileSync(sources.passwd, 'root:x:0:0::/root:/bin/sh\n'),
      'no user "hermes"',
    ],
    ['a user without numbers', () => writeFileSync(sources.passwd, 'hermes:x:::::\n'), 'no user "hermes"'],
  ])('cannot be determined by %s', (_, make, text) => {
    make()
    expect(() => findIdentity(sources)).toThrow(text)
  })

  // A file that is not root's is not believed, whatever it holds.
  test.skipIf(!isRoot).each([
    ['a file that others can write', () => chmod(0o666), 'not writable by root alone'],
    ['a link in its place', () => symlinkSync(sources.passwd, sources.identityFile), 'not writable by root alone'],
    [
      'a file without numbers',
      () => writeFileSync(sources.identityFile, '{"uid":"0","gid":1,"user":"x","home":"/"}'),
      'does not contain an identity',
    ],
    [
      'a negative id',
      () => writeFileSync(sources.identityFile, '{"uid":-1,"gid":1,"user":"x","home":"/"}'),
      'does not contain an identity',
    ],
  ])(named('cannot be determined by %s', whyNotRoot), (_, make, text) => {
    make()
    expect(() => findIdentity(sources)).toThrow(text)
  })

  function chmod(mode: number): void {
    writeFileSync(sources.identityFile, JSON.stringify(IDENTITY))
    chmodSync(sources.identityFile, mode)
  }
})

// A mount namespace of our own, so that no other process uses this /run/hermes.
describe.skipIf(!isRoot || spawnSync('unshare', ['--mount', 'true']).status !== 0)(
  'hermes called by root in a container (needs root and mount namespaces)',
  () => {
    const inContainer = (script: string, env: Record<string, string> = {}) => {
      const prepare = `mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/hermes && printf '%s' '${JSON.stringify(IDENTITY)}' > /run/hermes/identity && cd /`
      const path = `${join(process.execPath, '..')}:${process.env.PATH}`
      const given = { PATH: path, HOME: '/root', HERMES_HOME: dir, HERMES: program('hermes'), ...env }
      return spawnSync('unshare', ['--mount', 'sh', '-c', `${prepare} && ${script}`], { env: given, encoding: 'utf8' })
    }

    beforeEach(() => {
      execFileSync('chown', ['-R', '10000:10001', dir])
      execFileSync('chmod', ['-R', 'a+rX', join(program('hermes'), '..', '..', '..')])
    })

    test('becomes the runtime user: its files are never root’s', () => {
      const { status, stderr } = inContainer('"$HERMES" profile create coder >/dev/null')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const owners = execFileSync('find', [join(dir, 'profiles'), '-printf', '%U:%G\n'], { encoding: 'utf8' })
      expect(new Set(owners.trim().split('\n'))).toEqual(new Set(['10000:10001']))
    })

    test('has groups, HOME, USER of that user, no capability, and no way back', () => {
      // The editor is a program of ours that runs after the drop.
      const editor =
        'sh -c "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; grep CapEff /proc/self/status; setpriv --reuid 0 id -u" --'
      const { stdout } = inContainer('"$HERMES" config edit', { EDITOR: editor })
      const [uid, gid, groups, who, capabilities, ...back] = stdout.split('\n')
      expect({ uid, gid, who }).toEqual({ uid: '10000', gid: '10001', who: '/opt/data hermes hermes' })
      expect(
        groups
          ?.split(' ')
          .map(Number)
          .sort((a, b) => a - b),
      ).toEqual([20, 10_001])
      expect(capabilities).toMatch(/CapEff:\s+0+$/)
      expect(back.join()).not.toMatch(/^0/)
    })

    test.each(['1', 'true', 'YES'])('stays root with HERMES_DOCKER_EXEC_AS_ROOT=%s', (value) => {
      expect(
        inContainer('"$HERMES" config edit', { EDITOR: 'id -u; :', HERMES_DOCKER_EXEC_AS_ROOT: value }).stdout,
      ).toMatch(/^0\n/)
    })

    test.each(['0', 'on', 'ture', ''])('does not with HERMES_DOCKER_EXEC_AS_ROOT=%j', (value) => {
      expect(
        inContainer('"$HERMES" config edit', { EDITOR: 'id -u; :', HERMES_DOCKER_EXEC_AS_ROOT: value }).stdout,
      ).toMatch(/^10000\n/)
    })

    // UV_USE_IO_URING: Node's own functions refuse to drop privileges then.
    test.each([{}, { UV_USE_IO_URING: '1' }])('a frequent command has none of root left either (%o)', (env) => {
      writeFileSync(join(dir, 'supervisor.cjs'), SHOWS_ITS_CLIENT)
      const { stdout, stderr } = inContainer(`exec node ${join(dir, 'supervisor.cjs')}`, env)
      expect(stderr).toBe('')
      const [uids, gids, groups, capabilities, dumpable] = stdout.split('\n')
      expect([uids, groups?.trim()]).toEqual(['Uid: 10000 10000 10000 10000', 'Groups: 20 10001'])
      expect(gids).toMatch(/^Gid: 10001 10001 \d+ 10001$/)
      expect(gids).not.toContain(' 0')
      expect(capabilities).toMatch(/^CapEff: 0+$/)
      // As the runtime user's own programs have it, it would be 10000: its memory would be open to them.
      expect(dumpable).toBe('environ belongs to 0')
    })

    test.each(['profile create coder', 'gateway stop'])(
      'without CAP_SETUID runs nothing of %s, ends with 126 and names the two ways out',
      (line) => {
        const { status, stdout, stderr } = inContainer(
          `exec setpriv --bounding-set=-setuid --inh-caps=-setuid "$HERMES" ${line}`,
        )
        expect({ status, stdout }).toEqual({ status: 126, stdout: '' })
        expect(stderr).toContain('refusing to run as root')
        expect(stderr).toContain('--user hermes')
        expect(stderr).toContain('HERMES_DOCKER_EXEC_AS_ROOT=1')
      },
    )
  },
)

describe('the user that root becomes for a walled profile', () => {
  const found = (profile: string | undefined, args: readonly string[]) =>
    findWalled({ profile, args }, '/opt/data', join(dir, 'walls'))

  test('is hermes without the file of init', () => expect(found('coder', ['chat'])).toBeUndefined())

  test.skipIf(!isRoot)(
    named('is its own for commands that act in its directory, and hermes for others', whyNotRoot),
    () => {
      writeFileSync(join(dir, 'walls'), '{"coder":20000}', { mode: 0o644 })
      const own = { uid: 20_000, gid: 20_000, groups: [], user: 'coder', home: '/opt/data/profiles/coder/home' }
      for (const args of [['chat'], ['config', 'set'], ['env'], ['login'], ['setup'], ['gateway'], ['gateway', 'run']])
        expect([args, found('coder', args)]).toEqual([args, own])
      for (const args of [
        ['gateway', 'stop'],
        ['status'],
        ['kanban', 'work'],
        ['profile', 'wall', 'coder', '--off'],
        [],
      ])
        expect([args, found('coder', args)]).toEqual([args, undefined])
      expect(found(undefined, ['chat'])).toBeUndefined()
      for (const name of ['other', 'constructor', '__proto__']) expect(found(name, ['chat'])).toBeUndefined()
    },
  )

  test.skipIf(!isRoot)(named('is never one that another user could have named', whyNotRoot), () => {
    const file = join(dir, 'walls')
    for (const uid of ['0', '-1', '1.5', '"20000"', 'null']) {
      writeFileSync(file, `{"coder":${uid}}`, { mode: 0o644 })
      expect(() => found('coder', ['chat'])).toThrow('does not contain uids')
    }
    writeFileSync(file, '{"coder":20000}')
    chmodSync(file, 0o664)
    expect(() => found('coder', ['chat'])).toThrow('is not writable by root alone')
    chmodSync(file, 0o644)
    chownSync(file, 20_000, 20_000)
    expect(() => found('coder', ['chat'])).toThrow('is not writable by root alone')
    chownSync(file, 0, 0)
    symlinkSync(file, `${file}.link`)
    expect(() => findWalled({ profile: 'coder', args: ['chat'] }, '/', `${file}.link`)).toThrow('by root alone')
  })
})
