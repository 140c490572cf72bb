import {
  chownSync,
  closeSync,
  existsSync,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { containerRunDir } from '../../../src/system/programs/install.ts'
import { tellsEnds } from '../../support/container/kernel.ts'
import { memoryDisk, NO_MOUNT } from '../../support/hostile/memory-disk.ts'
import { scratchDir } from '../../support/scratch.ts'
import { type BoxOptions, type InitBox, startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

/** A container that ends with its main program. */
async function whole(
  options: BoxOptions,
): Promise<{ code: number | undefined; out: string; err: string; box: InitBox }> {
  const box = await startInit(options)
  await using _ = box
  const ended = await box.exit()
  return { code: 'code' in ended ? ended.code : undefined, out: box.pid1.stdout(), err: box.pid1.stderr(), box }
}

const owner = (path: string): string => `${lstatSync(path).uid}:${lstatSync(path).gid}`

const freshHome = (): string => scratchDir('hermes-volume-')

describe.skipIf(why !== undefined)(`identity (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  const whoami = ['sh', '-c', 'id -u; id -g; id -un; id -gn; id -G; echo "$HOME $USER $LOGNAME"']

  test.each([
    { env: {}, uid: '10000', gid: '10000' },
    { env: { PUID: '99', PGID: '100' }, uid: '99', gid: '100' },
    { env: { HERMES_UID: '4321', PUID: '1234', PGID: '77' }, uid: '4321', gid: '77' },
    { env: { HERMES_UID: '', PUID: '1234' }, uid: '1234', gid: '10000' },
    // Another user has this uid in every Debian.
    { env: { PUID: '33' }, uid: '33', gid: '10000' },
  ])('with $env everything runs as $uid:$gid, and the ids are called hermes', async ({ env, uid, gid }) => {
    const { code, out, box } = await whole({ args: whoami, env: { ...env } })
    expect(out.split('\n')).toEqual([uid, gid, 'hermes', 'hermes', gid, `${box.home} hermes hermes`, ''])
    expect(code).toBe(0)
  })

  test.each([{ PUID: '0' }, { HERMES_UID: 'root' }, { PGID: '1.5' }, { HERMES_GID: '65535' }])(
    '%o is refused with a line that names the variable and its value',
    async (env) => {
      const { code, out, err } = await whole({ args: whoami, env: env as Record<string, string> })
      const [[name, value]] = Object.entries(env) as [[string, string]]
      expect(code).toBe(1)
      expect(out).toBe('')
      expect(err).toContain(`${name}: expected a whole number from 1 to 65534, got "${value}"`)
    },
  )

  test('added groups are kept, root’s own are not, the docker socket’s is added', async () => {
    const { out } = await whole({
      args: ['id', '-G'],
      before: ['setpriv', '--groups', '0,4,4567', '--'],
      prepare: [
        "sed -i '/^adm:/d' /etc/group; echo 'adm:x:4:root' >>/etc/group",
        // mount-propagation is private, so /var/run -> /run is this namespace's own
        'python3 -c \'import socket; socket.socket(socket.AF_UNIX).bind("/run/docker.sock")\'; chgrp 998 /run/docker.sock',
      ].join('\n'),
    })
    expect(out.trim().split(' ').map(Number)).toEqual([10_000, 998, 4567])
  })

  test.each([['-setuid'], ['-setgid']])(
    'without the right to change ids (%s) nothing runs as root in its place',
    async (missing) => {
      const { code, out, err } = await whole({
        args: whoami,
        before: ['setpriv', `--bounding-set=${missing}`, `--inh-caps=${missing}`, '--'],
      })
      expect(code).toBe(126)
      expect(out).toBe('')
      expect(err).toContain('refusing to run as root')
      expect(err).toContain(missing === '-setuid' ? 'CAP_SETUID is missing' : 'CAP_SETGID is missing')
    },
  )

  test('with /etc read-only a remapped id has no name, which is logged, and everything runs', async () => {
    const { code, out, err } = await whole({
      args: ['id', '-u'],
      env: { PUID: '4321' },
      prepare: 'mount -o remount,ro,bind /etc',
    })
    expect([code, out]).toEqual([0, '4321\n'])
    expect(err).toMatch(/\/etc\/passwd.* cannot be changed \(EROFS\)/)
  })

  test('the run directories have their owners and modes, and nothing of an earlier life', async () => {
    await using box = await startInit({
      prepare:
        'mkdir -p /run/hermes/slots/old /run/service/old /run/s6/container_environment; touch /run/hermes/lock /run/hermes/control.sock /run/s6/container_environment/OLD',
    })
    await box.supervisor()
    const listed = await box.ok(
      'stat',
      '-c',
      '%n %F %U %a',
      '/run/hermes',
      '/run/hermes/control.sock',
      '/run/hermes/identity',
      '/run/hermes/log',
      '/run/hermes/slots',
      '/run/service',
      '/run/s6/container_environment',
    )
    expect(listed.trim().split('\n')).toEqual([
      '/run/hermes directory root 755',
      '/run/hermes/control.sock socket root 660',
      '/run/hermes/identity regular file root 644',
      '/run/hermes/log directory root 711',
      '/run/hermes/slots directory root 700',
      '/run/service directory hermes 755',
      '/run/s6/container_environment directory root 755',
    ])
    expect(await box.ok('ls', '/run/hermes/slots', '/run/service')).not.toContain('old')
    expect(await box.ok('ls', '/run/s6/container_environment')).not.toContain('OLD')
    expect(JSON.parse(readFileSync(box.path('/run/hermes/identity'), 'utf8'))).toEqual({
      uid: 10_000,
      gid: 10_000,
      groups: [],
      user: 'hermes',
      home: box.home,
    })
  })

  test('a state directory of an earlier life that is too deep to be removed is put aside, and the boot goes on', async () => {
    await using box = await startInit({
      before: ['prlimit', '--nofile=128', '--'],
      prepare:
        'mkdir -p /run/hermes/slots; touch /run/hermes/lock; cd /run/hermes/slots; i=0; while [ $i -lt 300 ]; do mkdir d; cd -P d; i=$((i + 1)); done; cd /',
    })
    await box.supervisor()
    expect(await box.ok('stat', '-c', '%U %a', '/run/hermes/slots')).toBe('root 700\n')
    expect(await box.ok('ls', '/run/hermes/slots')).toBe('')
    expect(await box.ok('ls', '/run/hermes')).toContain('not-removable-')
  })

  test('a second init in the same container is refused and disturbs nothing', async () => {
    await using box = await startInit()
    const supervisor = await box.supervisor()
    const second = await box.pid1.exec(['/opt/hermes/bin/init', 'true'], {
      env: { PATH: process.env.PATH ?? '', HERMES_HOME: box.home },
    })
    expect(second.code).toBe(1)
    expect(second.stderr).toContain('Hermes is already running for ')
    expect(existsSync(box.path('/run/hermes/control.sock'))).toBe(true)
    expect(supervisor.ended).toBe(false)
  })

  test('a run directory below one that others can write is refused', async () => {
    const { code, err } = await whole({
      env: { HERMES_RUN_DIR: '/run/open/hermes' },
      prepare: 'mkdir /run/open; chmod 777 /run/open',
    })
    expect(code).toBe(1)
    expect(err).toContain('/run/open, which is not a directory of root’s alone'.replace('’', "'"))
  })
})

describe.skipIf(why !== undefined)(`boot hooks (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('run as root, in order, with the container’s environment, before main; what one drops into the store is there for the next and for main', async () => {
    const { out } = await whole({
      initHooks: {
        '20-b': '#!/bin/sh\necho "b $(id -u) $MINE $ADDED"',
        '10-a': '#!/bin/sh\necho "a $(id -u) $MINE"; printf "added\\n" >/run/s6/container_environment/ADDED',
        '.hidden': '#!/bin/sh\necho hidden',
      },
      args: ['sh', '-c', 'echo "main $MINE $ADDED"'],
      env: { MINE: 'two\nlines' },
    })
    expect(out).toBe('a 0 two\nlines\nb 0 two\nlines added\nmain two\nlines added\n')
  })

  test.each([
    { script: 'exit 7', code: 7 },
    { script: 'kill -KILL $$', code: 137 },
    ...(tellsEnds ? [{ script: 'kill -40 $$', code: 168 }] : []),
  ])('a failing one ($script) stops the container with $code and is named', async ({ script, code }) => {
    const ended = await whole({
      initHooks: { '10-bad': `#!/bin/sh\n${script}`, '20-next': '#!/bin/sh\necho next' },
      args: ['sh', '-c', 'echo main'],
    })
    expect(ended.code).toBe(code)
    expect(ended.err).toContain('/etc/cont-init.d/10-bad')
    expect(ended.out).toBe('')
  })

  test.each(['0', '1'])('with S6_BEHAVIOUR_IF_STAGE2_FAILS=%s the boot goes on after it', async (behaviour) => {
    const { code, out, err } = await whole({
      initHooks: { '10-bad': '#!/bin/sh\nexit 7', '20-next': '#!/bin/sh\necho next' },
      args: ['sh', '-c', 'echo main'],
      env: { S6_BEHAVIOUR_IF_STAGE2_FAILS: behaviour },
    })
    expect([code, out]).toEqual([0, 'next\nmain\n'])
    expect(err).toContain('/etc/cont-init.d/10-bad exited with code 7')
  })

  test('a link that leads to itself is named and skipped, at the boot and at the end', async () => {
    const { code, err } = await whole({
      prepare: 'ln -s 10-loop /etc/cont-init.d/10-loop; ln -s 10-loop /etc/cont-finish.d/10-loop',
      args: ['sh', '-c', 'exit 3'],
    })
    expect(code).toBe(3)
    for (const dir of ['init', 'finish'])
      expect(err).toContain(`/etc/cont-${dir}.d/10-loop is not a program. It is skipped`)
  })

  test('one that is not executable is named and skipped', async () => {
    const { code, out, err } = await whole({
      initHooks: { '10.plain': '#!/bin/sh\necho ran', '20-next': '#!/bin/sh\necho next' },
      args: ['sh', '-c', 'echo main'],
    })
    expect([code, out]).toEqual([0, 'next\nmain\n'])
    expect(err).toContain('/etc/cont-init.d/10.plain is not executable; run chmod +x on it. It is skipped')
  })

  test('one without an interpreter line runs as a shell script, as execvp(3) does it', async () => {
    const { out } = await whole({ initHooks: { plain: 'echo plain' }, args: ['true'] })
    expect(out).toBe('plain\n')
  })

  test('one that takes longer than 10 s is named', async () => {
    await using box = await startInit({
      initHooks: { slow: '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.1; done' },
      args: ['true'],
    })
    await box.pid1.saw('/etc/cont-init.d/slow has been running for 10 s', { deadlineMs: 20_000 })
    writeFileSync(box.path('/run/go'), '')
    expect(await box.exit()).toEqual({ code: 0 })
  })
})

describe.skipIf(why !== undefined)(`s6-overlay's ways (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  const results = '/run/s6-linux-init-container-results/exitcode'

  test('the runtime user may choose the exit code of a container that is asked to stop', async () => {
    await using box = await startInit({ args: ['sh', '-c', `echo 9 >${results}; echo said; exec sleep 1000`] })
    await box.pid1.saw('said')
    box.pid1.signal('TERM')
    expect(await box.exit()).toEqual({ code: 9 })
  })

  test('the code of a main program that ends by itself counts; a finish hook sees it and may replace it', async () => {
    const hook = `#!/bin/sh\necho "hook saw $(cat ${results})"`
    const plain = await whole({ args: ['sh', '-c', `echo 9 >${results}; exit 4`], finishHooks: { '10-see': hook } })
    expect([plain.code, plain.out]).toEqual([4, 'hook saw 4\n'])
    const { code } = await whole({
      args: ['sh', '-c', 'exit 4'],
      finishHooks: { '10-say': `#!/bin/sh\necho 6 >${results}` },
    })
    expect(code).toBe(6)
  })

  test.each(['', 'nine', '-1', '256'])('%o there is no exit code: the container’s own counts', async (text) => {
    const finish = { '10-say': `#!/bin/sh\nprintf %s '${text}' >${results}` }
    expect((await whole({ args: ['sh', '-c', 'exit 4'], finishHooks: finish })).code).toBe(4)
  })

  test('an exit code that cannot be stored, since /run is full, is the container’s all the same', async () => {
    await using box = await startInit({
      args: ['sh', '-c', 'echo here; while [ ! -e "$HERMES_HOME/go" ]; do sleep 0.05; done; exit 3'],
      // One of its own for the file: the stop removes other files, and would make room.
      prepare: [
        'mount -t tmpfs -o mode=755,size=2m tmpfs /run',
        `mkdir ${dirname(results)}`,
        `mount -t tmpfs -o mode=755,size=4k tmpfs ${dirname(results)}`,
      ].join('\n'),
    })
    await box.supervisor()
    await box.pid1.saw('here')
    // Anew, or the page it has would do.
    await box.pid1.exec(['sh', '-c', `rm ${results}`])
    for (const dir of ['/run', dirname(results)])
      await box.pid1.exec(['sh', '-c', `dd if=/dev/zero of=${dir}/ballast bs=4096 2>/dev/null`])
    writeFileSync(join(box.home, 'go'), '')
    expect(await box.exit()).toEqual({ code: 3 })
    expect(box.pid1.stderr()).toContain('the exit code cannot be written down: ENOSPC')
  })

  test('nothing that root does at boot follows a link that was planted in an open /run', async () => {
    const home = freshHome()
    const { code } = await whole({
      home,
      args: ['true'],
      prepare: [
        'mount --bind $home $home; chmod 1777 /run; mkdir $home/mine; touch $home/mine/kept',
        'for name in service s6 s6-linux-init-container-results; do rm -rf /run/$name; ln -s $home/mine /run/$name; done',
      ].join('\n'),
    })
    const left = readdirSync(join(home, 'mine'))
    expect([code, left]).toEqual([0, ['kept']])
  })

  test.each([
    { env: { S6_KILL_GRACETIME: '500' }, said: '2' },
    { env: { S6_KILL_GRACETIME: '0' }, said: '1.5' },
    { env: { S6_KILL_GRACETIME: '500', HERMES_STOP_TIMEOUT: '5' }, said: '5' },
    { env: { S6_KILL_GRACETIME: 'soon' }, said: '8' },
  ])('with %o the whole stop takes $said s at most', async ({ env, said }) => {
    const { out, err } = await whole({ args: ['sh', '-c', 'echo $HERMES_STOP_TIMEOUT'], env: { ...env } })
    expect(out).toBe(`${said}\n`)
    if (env.S6_KILL_GRACETIME === 'soon') expect(err).toContain('S6_KILL_GRACETIME: expected milliseconds')
  })

  test('S6_VERBOSITY=0 shows errors only', async () => {
    const warned = { S6_KILL_GRACETIME: 'soon' }
    expect((await whole({ args: ['true'], env: { ...warned } })).err).toContain('warning: S6_KILL_GRACETIME')
    expect((await whole({ args: ['true'], env: { ...warned, S6_VERBOSITY: '0' } })).err).toBe('')
    const failed = { initHooks: { '10-bad': '#!/bin/sh\nexit 7' }, args: ['true'], env: { S6_VERBOSITY: '0' } }
    expect((await whole(failed)).err).toContain('error: /etc/cont-init.d/10-bad exited with code 7')
  })
})

describe.skipIf(why !== undefined)(`the main program (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test.each([
    { args: ['sh', '-c', 'exit 42'], code: 42 },
    { args: ['sh', '-c', 'kill -SEGV $$'], code: 139 },
    ...(tellsEnds ? [{ args: ['sh', '-c', 'kill -40 $$'], code: 168 }] : []),
    { args: ['/bin/true'], code: 0 },
    { args: ['/no/such/program'], code: 127 },
    { args: ['/etc/passwd'], code: 126 },
  ])('its end is the container’s: $args ends with $code', async ({ args, code }) => {
    expect((await whole({ args })).code).toBe(code)
  })

  test('it keeps the directory and the environment the container was given, NODE_* and LD_* too', async () => {
    const { out } = await whole({
      args: ['sh', '-c', 'pwd; echo "$NODE_OPTIONS|$LD_PRELOAD|$QUOTED|$((HERMES_MAIN == $$))"; env | grep -c SAVED'],
      cwd: '/tmp',
      env: { NODE_OPTIONS: '--no-such-option --require=/x', LD_PRELOAD: '', QUOTED: `it's "$HOME" \\ \n two` },
    })
    expect(out).toBe(`/tmp\n--no-such-option --require=/x||it's "$HOME" \\ \n two|1\n0\n`)
  })

  test('it can open /dev/stdout, which the container was given as a pipe of root', async () => {
    const [read, write] = realNative.pipe({ nonblockingRead: true })
    fchmodSync(write, 0o600)
    try {
      const { code } = await whole({ args: ['sh', '-c', 'id -u >/dev/stdout'], stdout: write })
      expect(code).toBe(0)
      const buffer = Buffer.alloc(100)
      expect(buffer.toString('utf8', 0, readSync(read, buffer))).toBe('10000\n')
    } finally {
      for (const fd of [read, write]) closeSync(fd)
    }
  })

  test.each(['USR1', 'USR2', 'WINCH'] as const)('%s is passed on to it', async (signal) => {
    await using box = await startInit({
      args: ['sh', '-c', `trap "echo got ${signal}; exit 0" ${signal}; echo ready; while :; do sleep 0.02; done`],
    })
    await box.pid1.saw('ready')
    box.pid1.signal(signal)
    expect(await box.exit()).toEqual({ code: 0 })
    expect(box.pid1.lines()).toContain(`got ${signal}`)
  })

  test.each([
    { what: 'dies of our signal', script: 'echo ready; exec sleep 1000', code: 0 },
    { what: 'exits 0', script: 'trap "exit 0" TERM; echo ready; while :; do sleep 0.02; done', code: 0 },
    { what: 'exits 3 by itself', script: 'trap "exit 3" TERM; echo ready; while :; do sleep 0.02; done', code: 3 },
    { what: 'has to be killed', script: 'trap "" TERM; echo ready; while :; do sleep 0.02; done', code: 137 },
  ])('a stop that was asked for, when main $what, ends with $code', async ({ script, code }) => {
    // One that obeys has time to, however busy the machine is.
    const env = { HERMES_STOP_TIMEOUT: code === 137 ? '2' : '120' }
    await using box = await startInit({ args: ['sh', '-c', script], env })
    await box.pid1.saw('ready')
    box.pid1.signal('TERM')
    expect(await box.exit()).toEqual({ code })
  })

  test('its end stops the slots with their grace', async () => {
    await using box = await startInit({
      slots: { a: 'trap "echo got TERM; exit 0" TERM; echo ready; while :; do sleep 0.02; done' },
      args: ['sh', '-c', 'until [ -e /run/go ]; do sleep 0.02; done; exit 5'],
    })
    const supervisor = await box.supervisor()
    await supervisor.spawned('a')
    await box.slotLines('a', 'ready')
    writeFileSync(box.path('/run/go'), '')
    expect(await supervisor.got('exit')).toMatchObject({ ending: { exitCode: 0 } })
    supervisor.send({ type: 'drained' })
    expect(await box.exit()).toEqual({ code: 5 })
  })

  test('a subcommand, an option and an unknown command go to hermes, with their arguments', async () => {
    for (const args of [['gateway', 'run'], ['--version'], ['frobnicate', 'a b']]) {
      const hermes = '#!/bin/sh\necho "hermes: $# $*"'
      await using box = await startInit({
        args,
        initHooks: { wait: '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.02; done' },
      })
      await box.install.life(1)
      writeFileSync(join(box.install.dir, 'bin', 'hermes'), hermes)
      writeFileSync(box.path('/run/go'), '')
      expect(await box.exit()).toEqual({ code: 0 })
      expect(box.pid1.stdout()).toBe(`hermes: ${args.length} ${args.join(' ')}\n`)
    }
  })
})

describe.skipIf(why !== undefined)(`the volume (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('known files are given back, unknown ones keep their owner, secrets become private', async () => {
    const home = freshHome()
    for (const dir of ['sessions/deep', 'theirs']) mkdirSync(join(home, dir), { recursive: true })
    for (const file of [
      'sessions/deep/one',
      'theirs/file',
      '.env',
      'auth.json',
      'config.yaml',
      'state.db-wal',
      'other',
    ])
      writeFileSync(join(home, file), '')
    // A volume of root's with other files in it is given away where it is a mount, as a volume is.
    const { code, err } = await whole({ home, args: ['true'], prepare: 'mount --bind $home $home' })
    expect(code).toBe(0)
    for (const path of [
      '.',
      'sessions',
      'sessions/deep',
      'sessions/deep/one',
      '.env',
      'auth.json',
      'config.yaml',
      'state.db-wal',
    ]) {
      expect([path, owner(join(home, path))]).toEqual([path, '10000:10000'])
    }
    for (const path of ['theirs', 'theirs/file', 'other'])
      expect([path, owner(join(home, path))]).toEqual([path, '0:0'])
    for (const path of ['.env', 'auth.json']) expect(statSync(join(home, path)).mode & 0o777).toBe(0o600)
    expect(err).toContain(`changed the owner of ${home} and of 7 files in it from 0:0 to 10000:10000; 2 made private`)
  })

  test('links, second names, special files and mounts are left alone, and that is logged', async () => {
    const home = freshHome()
    const outside = scratchDir('hermes-outside-')
    for (const name of ['secret', 'second', 'tree/file']) {
      mkdirSync(join(outside, name, '..'), { recursive: true })
      writeFileSync(join(outside, name), '')
    }
    for (const dir of ['memories', 'workspace', 'skills']) mkdirSync(join(home, dir))
    linkSync(join(outside, 'secret'), join(home, 'auth.json'))
    linkSync(join(outside, 'second'), join(home, 'memories/second'))
    symlinkSync('/etc', join(home, 'sessions'))
    symlinkSync('/etc/shadow', join(home, 'state.db'))
    symlinkSync(outside, join(home, 'memories/out'))
    const { code, err } = await whole({
      home,
      args: ['true'],
      // The same device: only the mount tells it from a folder of the volume.
      prepare: `mount --bind ${outside}/tree $home/workspace; mkfifo $home/skills/pipe`,
    })
    expect(code).toBe(0)
    for (const name of ['secret', 'second', 'tree', 'tree/file'])
      expect([name, owner(join(outside, name))]).toEqual([name, '0:0'])
    expect(statSync(join(outside, 'secret')).mode & 0o777).toBe(0o644)
    expect(owner('/etc')).toBe('0:0')
    expect(owner('/etc/shadow')).toMatch(/^0:/)
    const refused = 'auth.json (a file with several names), sessions (a symbolic link), state.db (a symbolic link)'
    expect(err).toContain(`refusing to follow ${refused}`)
    expect(err).toContain('left alone: 1 symbolic link, 1 file with several names, 1 mount, 1 special file')
  })

  test('a clean volume is not repaired', async () => {
    const { err } = await whole({ args: ['true'] })
    expect(err).toBe('')
  })

  test('100,000 files: repaired, then seen to be clean', async () => {
    // In memory: on a disk, making and removing them was measured at half a minute of CPU time.
    using disk = memoryDisk('1g')
    if (disk === undefined) throw new Error(NO_MOUNT)
    const home = disk.path
    for (let dir = 0; dir < 100; dir++) {
      mkdirSync(join(home, 'sessions', String(dir)), { recursive: true })
      for (let file = 0; file < 1_000; file++) writeFileSync(join(home, 'sessions', String(dir), String(file)), '')
    }
    const timed = async (): Promise<number> => {
      const startedAtMs = performance.now()
      expect((await whole({ home, args: ['true'] })).code).toBe(0)
      return performance.now() - startedAtMs
    }
    const repairMs = await timed()
    expect(owner(join(home, 'sessions/99/999'))).toBe('10000:10000')
    const changedAtMs = (): number => statSync(join(home, 'sessions/99/999')).ctimeMs
    const repairedAtMs = changedAtMs()
    const cleanMs = await timed()
    console.log(
      `100,000 files: repaired in a life of ${Math.round(repairMs)} ms, clean in one of ${Math.round(cleanMs)} ms`,
    )
    expect(changedAtMs(), 'the owner of a clean file is not set again').toBe(repairedAtMs)
    expect(cleanMs).toBeLessThan(stretchedMs(repairMs))
  })

  test('an unwritable one: exit 1 before hooks and main, with owner, mode, who we are and what to do', async () => {
    const { code, out, err, box } = await whole({
      args: ['sh', '-c', 'echo main'],
      initHooks: { a: '#!/bin/sh\necho hook' },
      prepare: 'mount --bind $home $home; mount -o remount,ro,bind $home; ',
    })
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(`${box.home} cannot be written: it belongs to 10000:10000, mode 0755, and we are 10000:10000`)
    expect(err).toContain('chown -R 10000:10000')
  })

  test('two containers on one volume: the second waits with its slots, runs its main program, and goes on when the first is killed', async () => {
    const home = freshHome()
    chownSync(home, 10_000, 10_000)
    await using first = await startInit({ home })
    expect((await (await first.install.life(1)).helloWithLease()).lease).toBe('held')
    await using second = await startInit({ home, args: ['sh', '-c', 'echo main; exec sleep 1000'] })
    const supervisor = await second.install.life(1)
    expect(await supervisor.helloWithLease()).toMatchObject({ lease: 'busy', begun: false })
    await second.pid1.saw('main')
    await second.pid1.saw(`another container is using ${home}`)
    expect(supervisor.received.some((m) => m.type === 'begin')).toBe(false)
    await first.pid1[Symbol.asyncDispose]()
    await supervisor.got('begin')
    await supervisor.got('lease', ({ state }) => state === 'held')
    expect(owner(join(home, 'run.lease'))).toBe('10000:10000')
  })

  test('the lease outlives the supervisor', async () => {
    const home = freshHome()
    chownSync(home, 10_000, 10_000)
    await using first = await startInit({ home })
    const supervisor = await first.install.life(1)
    expect(await supervisor.helloWithLease()).toMatchObject({ lease: 'held' })
    await first.ok('kill', '-KILL', String(supervisor.pid))
    await first.install.life(2)
    await using second = await startInit({ home })
    expect(await (await second.install.life(1)).helloWithLease()).toMatchObject({ lease: 'busy' })
  })

  test('a container whose main program is the dashboard takes no lease', async () => {
    const home = freshHome()
    chownSync(home, 10_000, 10_000)
    await using box = await startInit({
      home,
      args: ['dashboard'],
      initHooks: { wait: '#!/bin/sh\nexec sleep 1000' },
    })
    expect(await (await box.install.life(1)).helloWithLease()).toMatchObject({ lease: 'none' })
    expect(existsSync(join(home, 'run.lease'))).toBe(false)
  })

  test('where the lease cannot be locked the supervisor’s counter decides when the boot goes on', async () => {
    const home = freshHome()
    chownSync(home, 10_000, 10_000)
    // A file that can be read and not opened for writing, as on a mount without locks.
    const prepare = 'f=$home/run.lease; touch "$f"; mount --bind "$f" "$f"; mount -o remount,bind,ro "$f"'
    await using box = await startInit({ home, prepare })
    const supervisor = await box.install.life(1)
    expect(await supervisor.helloWithLease()).toMatchObject({ lease: 'unsupported', begun: false })
    await box.pid1.saw('run.lease cannot be locked')
    supervisor.send({ type: 'lease', state: 'taken' })
    await supervisor.got('begin')
    await box.ok('kill', '-KILL', String(supervisor.pid))
    const second = await box.install.life(2)
    expect(await second.helloWithLease()).toMatchObject({ lease: 'unsupported', begun: false })
    second.send({ type: 'lease', state: 'taken' })
    await second.got('begin')
  })
})

describe.skipIf(why !== undefined)(`not PID 1, not root (${why ?? 'in a namespace'})`, () => {
  test('behind another init everything works the same, orphans come to us, and their group is ended with us', async () => {
    await using box = await startInit({ notPid1: true, slots: { a: 'setsid sleep 1000 & exit 0' } })
    const supervisor = await box.supervisor()
    expect(supervisor.start).toMatchObject({ pid1: false, dropped: true })
    await supervisor.spawned('a', { killLeftovers: false })
    await supervisor.got('exit')
    const init = box.pid1.processes().find(({ outside, parent }) => parent === box.pid1.pid && outside !== box.pid1.pid)
    await waitFor('the orphan to be ours', () =>
      box.pid1.processes().some(({ name, parent }) => name === 'sleep' && parent === init?.outside),
    )
    await box.ok('kill', '-TERM', String(init?.inside))
    await supervisor.got('stop')
    supervisor.send({ type: 'drained' })
    expect(await box.exit()).toEqual({ code: 0 })
  })

  test('with --user nothing is dropped, which is logged, and the run directory is found', async () => {
    await using box = await startInit({
      before: ['setpriv', '--reuid', '4321', '--regid', '4321', '--clear-groups', '--'],
      prepare: 'chown 4321:4321 $home; chmod 1777 /run',
      slots: {},
    })
    const supervisor = await box.supervisor()
    expect(supervisor.start).toMatchObject({
      dropped: false,
      runDir: '/run/hermes',
      layout: 'image',
      identity: { uid: 4321 },
    })
    expect(supervisor.uid).toBe(4321)
    await box.pid1.saw('not root: everything runs as uid 4321')
    mkdirSync(box.path('/run/service/a'))
    writeFileSync(box.path('/run/service/a/run'), 'id -u; exec sleep 1000')
    await supervisor.spawned('a')
    await box.slotLines('a', '4321\n')
  })

  test('with --user and no place in /run the run directory is in memory, not in the volume', async () => {
    await using box = await startInit({
      before: ['setpriv', '--reuid', '4321', '--regid', '4321', '--clear-groups', '--'],
      prepare: 'chown 4321:4321 $home; mount -t tmpfs -o mode=1777 tmpfs /dev/shm',
    })
    const { start } = await box.supervisor()
    const runDir = containerRunDir(box.home, 4321)
    expect(runDir).toMatch(/^\/dev\/shm\//)
    expect(start).toMatchObject({ runDir, layout: 'private' })
    expect(statSync(box.path(runDir)).mode & 0o777).toBe(0o700)
    expect(existsSync(join(box.home, 'run'))).toBe(false)
  })

  test('--user on a volume it cannot write is refused, with what to do instead', async () => {
    const { code, out, err } = await whole({
      args: ['sh', '-c', 'echo main'],
      before: ['setpriv', '--reuid', '1234', '--regid', '1234', '--clear-groups', '--'],
      prepare: 'chmod 1777 /run',
    })
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(
      /we are 1234:1234; start the container as root with HERMES_UID=10000 \(or PUID\) instead of --user/,
    )
  })
})
