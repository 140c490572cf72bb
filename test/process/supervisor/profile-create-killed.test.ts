// `hermes profile create`, killed at each system call that changes the disk, one after the other.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deleteProfile, listProfiles } from '../../../src/profile/directory/disk.ts'
import { PROFILE_DIRECTORIES } from '../../../src/profile/directory/templates.ts'
import { hermes, runProgram, startProgram } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { program } from '../../support/install.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { named, whyNoStrace } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const CHANGING = ['mkdir', 'fsync', 'rename', 'chmod', 'fchmod', 'symlink', 'write', 'pwrite64', 'copy_file_range']

const leftoversIn = (home: string): readonly string[] =>
  existsSync(join(home, 'profiles')) ? readdirSync(join(home, 'profiles')).filter((name) => name.startsWith('.')) : []

const isWhole = (dir: string): boolean =>
  PROFILE_DIRECTORIES.every((name) => existsSync(join(dir, name))) &&
  ['SOUL.md', '.env', 'config.yaml'].every((name) => statSync(join(dir, name)).size > 0)

/** Some eighty commands under strace, one after the other: a minute on a busy machine. */
const LONG = { timeout: 300_000 }

const why = whyNoStrace()
test.skipIf(why !== undefined).each([
  ['new', [] as readonly string[]],
  ['a clone', ['--clone', 'default']],
])(named('a kill at any point never shows half a profile, %s', why), LONG, async (_, options) => {
  const home = quickScratchDir('hermes-cli-')
  execFileSync('mkdir', ['-p', join(home, 'skills', 'one'), join(home, 'memories')])
  for (const name of ['config.yaml', 'skills/one/SKILL.md', '.env'])
    execFileSync('sh', ['-c', `echo '# text' > ${join(home, name)}`])
  let left = 0
  const seen = { none: 0, whole: 0 }
  for (const call of CHANGING) {
    for (let step = 1; ; step++) {
      // strace counts each kind of call by itself. One pool thread, so that "the n-th" means the same in every run.
      const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${call}:signal=KILL:when=${step}`]
      const argv = [...strace, program('hermes'), 'profile', 'create', 'coder', ...options]
      const { code } = await runProgram(argv, { home, env: { UV_THREADPOOL_SIZE: '1' } })
      const { profiles, problems } = listProfiles(home)
      expect(problems).toEqual([])
      const made = profiles.find(({ name }) => name === 'coder')
      if (made) expect(isWhole(made.dir)).toBe(true)
      if (code !== 0) seen[made ? 'whole' : 'none']++
      if (made) await deleteProfile(home, 'coder')
      // Each leftover would add calls to the next run, and "the n-th" would never be the last.
      left += leftoversIn(home).length
      for (const name of leftoversIn(home)) rmSync(join(home, 'profiles', name), { recursive: true })
      if (code === 0) break
    }
  }
  // Proof that the kills hit: before and after the rename.
  expect(seen.none).toBeGreaterThan(10)
  expect(seen.whole).toBeGreaterThan(0)

  expect(left).toBeGreaterThan(10)

  for (const name of ['.new-old-1', '.deleted-old-2', '.new-young-3'])
    mkdirSync(join(home, 'profiles', name, 'sub'), { recursive: true })
  for (const name of ['.new-old-1', '.deleted-old-2']) utimesSync(join(home, 'profiles', name), 0, 0)
  expect((await hermes(['profile', 'create', 'sweeper'], { home })).code).toBe(0)
  expect(readdirSync(join(home, 'profiles'))).toEqual(['.new-young-3', 'sweeper'])
  expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toBe('# text\n')
})

const FILES = 400
/**
 * A disk that takes 75 ms for each file, half a minute in all: time for another command on any machine. `-D`: the
 * program is our child, and strace its own.
 */
const SLOW_DISK = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:delay_enter=75000']

function bigProfile(home: string): void {
  const skills = join(home, 'profiles', 'big', 'skills')
  mkdirSync(skills, { recursive: true })
  for (let i = 0; i < FILES; i++) writeFileSync(join(skills, `skill-${i}`), 'text')
}

/** A clone of a profile with many files, under way. */
async function cloning(home: string): Promise<ReturnType<typeof startProgram>> {
  bigProfile(home)
  const args = [...SLOW_DISK, program('hermes'), 'profile', 'create', 'copy', '--clone', 'big']
  const child = startProgram(args, { home })
  await waitFor('files to be copied', () => {
    const [staging] = leftoversIn(home)
    return staging !== undefined && readdirSync(join(home, 'profiles', staging, 'skills')).length > 20
  })
  return child
}

const slowly = test.skipIf(why !== undefined)

slowly(named('Ctrl-C while a profile is cloned leaves nothing behind', why), async () => {
  const home = quickScratchDir('hermes-cli-')
  const child = await cloning(home)
  let said = ''
  child.stderr?.on('data', (text) => {
    said += String(text)
  })
  // Another command at the same time takes nothing away from it.
  expect((await hermes(['profile', 'list'], { home })).code).toBe(0)
  expect(leftoversIn(home)).toHaveLength(1)
  child.kill('SIGINT')
  expect(await once(child, 'close')).toEqual([null, 'SIGINT'])
  expect(said).toBe('')
  expect(readdirSync(join(home, 'profiles'))).toEqual(['big'])
})

slowly.each([
  ['the next command about profiles', async (home: string) => void (await hermes(['profile', 'list'], { home }))],
  [
    'the next boot',
    async (home: string) => {
      await using _ = await startHermes({ profiles: [], home, keepHome: true })
      await waitFor('it to be removed', () => leftoversIn(home).length === 0)
    },
  ],
])(named('what a clone leaves that was killed is removed by %s', why), async (_, next) => {
  const home = quickScratchDir('hermes-cli-')
  const child = await cloning(home)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(leftoversIn(home)).toHaveLength(1)
  await next(home)
  expect(readdirSync(join(home, 'profiles'))).toEqual(['big'])
})

slowly(named('a clone that takes long says on a terminal how far it is', why), async () => {
  const home = quickScratchDir('hermes-cli-')
  bigProfile(home)
  const command = `exec ${SLOW_DISK.join(' ')} "${program('hermes')}" profile create copy --clone big`
  const args = ['script', '-qec', command, '/dev/null']
  const child = startProgram(args, { home, input: '' })
  let shown = ''
  child.stdout?.on('data', (text) => {
    shown += String(text)
  })
  await waitFor('the progress', () => /\rcopied \d+ files, \d[\d.]* k?B, \d[\d.]* k?B\/s/.test(shown))
  child.kill('SIGTERM')
  await once(child, 'exit')
})
