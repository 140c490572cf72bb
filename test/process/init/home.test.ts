// The place of the volume: HERMES_HOME may lie below a directory that the runtime user can write (a NAS share), who can
// put anything in its place. That user must not choose what root opens and gives away there.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { scratchDir } from '../../support/scratch.ts'
import { type InitBox, startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')
const RUNTIME = 10_000

/** `ground` is the runtime user's, `secret` root's with a file in it. */
let dir: string
const at = (...names: string[]): string => join(dir, ...names)
const owner = (path: string): number => statSync(path).uid
beforeEach(() => {
  // Not in /tmp itself, whose mode says that everybody may write.
  dir = scratchDir('hermes-ground-')
  chmodSync(dir, 0o755)
  mkdirSync(at('ground'))
  chownSync(at('ground'), RUNTIME, RUNTIME)
  mkdirSync(at('secret'))
  writeFileSync(at('secret', 'note'), 'root’s')
})

const boots = async (home: string, prepare = ''): Promise<{ code: number | undefined; err: string }> => {
  await using box = await startInit({ home, prepare, args: ['sh', '-c', 'echo main'] })
  const ended = await box.exit()
  return { code: 'code' in ended ? ended.code : undefined, err: box.pid1.stderr() }
}

describe.skipIf(why !== undefined)(`the volume of a container (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test.each([
    [
      'a link in its place',
      () => symlinkSync(at('secret'), at('ground', 'sub')),
      'is a link, and others than root can write',
    ],
    [
      'a link on the way to it',
      () => symlinkSync(dir, at('ground', 'sub')),
      'is a link, and others than root can write',
    ],
    [
      'a directory of root’s that was moved there',
      () => renameSync(at('secret'), at('ground', 'sub')),
      'holds other files (note)',
    ],
  ])('is not chosen by the runtime user: %s is refused, and nothing is given away', async (what, lay, said) => {
    lay()
    const way = what === 'a link on the way to it' ? ['sub', 'new'] : ['sub']
    const { code, err } = await boots(at('ground', ...way))
    expect(code).toBe(1)
    expect(err).toContain(said)
    const secret = existsSync(at('secret')) ? at('secret') : at('ground', 'sub')
    expect([owner(secret), owner(join(secret, 'note')), existsSync(at('new'))]).toEqual([0, 0, false])
  })

  test.each(['/root', '/boot', '/home', '/var', '/srv', '/mnt'])('is not %s', async (home) => {
    // A stand-in: the namespace has the machine's own directories, and an init that gets this wrong gives them away.
    const standIn = at('stand-in')
    mkdirSync(standIn)
    writeFileSync(join(standIn, '.bashrc'), '')
    const { code, err } = await boots(home, `mkdir -p ${home} && mount --bind ${standIn} ${home}`)
    expect(code).toBe(1)
    expect(err).toContain(`${home} cannot be the volume`)
    expect(owner(standIn)).toBe(0)
  })

  test('may be an empty directory of root’s, a new one, a mount of other files, or be reached by a link of root’s', async () => {
    mkdirSync(at('ground', 'empty'))
    mkdirSync(at('ground', 'linked'))
    mkdirSync(at('ground', 'mounted'))
    writeFileSync(at('ground', 'mounted', 'photo'), '')
    const bind = `mount --bind ${at('ground', 'mounted')} ${at('ground', 'mounted')}`
    for (const [home, prepare] of [
      [at('ground', 'empty')],
      [at('ground', 'new', 'below')],
      ['/opt/link', `ln -s ${at('ground', 'linked')} /opt/link`],
      [at('ground', 'mounted'), bind],
    ] as const) {
      expect(await boots(home, prepare)).toMatchObject({ code: 0 })
      expect(owner(home === '/opt/link' ? at('ground', 'linked') : home)).toBe(RUNTIME)
    }
    expect(owner(at('ground', 'mounted', 'photo'))).toBe(0)
  })

  const running = async (): Promise<InitBox> => {
    mkdirSync(at('ground', 'sub'))
    chownSync(at('ground', 'sub'), RUNTIME, RUNTIME)
    const box = await startInit({ home: at('ground', 'sub') })
    const supervisor = await box.supervisor()
    // Until then it may not have looked at the volume.
    if (!(await supervisor.got('welcome')).begun) await supervisor.got('begin')
    return box
  }

  test('whose place a link takes while it runs is still the directory that was opened', async () => {
    await using box = await running()
    renameSync(at('ground', 'sub'), at('ground', 'gone'))
    symlinkSync(at('secret'), at('ground', 'sub'))
    rmSync(at('ground', 'gone', 'run.lease'))
    await waitFor('the lease to be made anew', () => existsSync(at('ground', 'gone', 'run.lease')))
    await box.pid1.saw('was removed or replaced while we held it; a new one is locked')
    expect([owner(at('ground', 'gone', 'run.lease')), existsSync(at('secret', 'run.lease'))]).toEqual([RUNTIME, false])
  })

  test('a file of root’s that is moved to the place of run.lease is named, and stays root’s', async () => {
    await using box = await running()
    const lease = at('ground', 'sub', 'run.lease')
    renameSync(at('secret', 'note'), lease)
    await box.pid1.saw('run.lease is a file of uid 0. Remove it')
    expect(owner(lease)).toBe(0)
    rmSync(lease)
    await waitFor('the lease to be made anew', () => existsSync(lease) && owner(lease) === RUNTIME)
  })

  test('whose lease is deleted stays with its holder, not with a container that waits', async () => {
    await using first = await running()
    const home = at('ground', 'sub')
    await using second = await startInit({ home })
    const waiter = await second.install.life(1)
    expect(await waiter.helloWithLease()).toMatchObject({ lease: 'busy' })
    // Once: a file that goes again at once may be missing at three looks of the waiter in a row, which then makes it.
    rmSync(join(home, 'run.lease'))
    await first.pid1.saw('a new one is locked')
    expect(existsSync(join(home, 'run.lease'))).toBe(true)
    expect(readdirSync(home).filter((name) => name.startsWith('.run.lease'))).toEqual([])
    expect(waiter.received.filter((m) => m.type === 'lease' && m.state === 'held')).toEqual([])
    expect(first.pid1.stderr()).not.toContain('is not ours')
  })
})
