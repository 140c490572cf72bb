import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { limitLines, withLimits } from '../../../src/system/programs/sh-limits.ts'

const ALL = { nofile: 99, nproc: 20_000, core: 0, fsize: 2 ** 20, as: 2 ** 34, memlock: 0, stack: 2 ** 22, cpu: 1500 }
const SET = [
  'Max cpu time 2 2 seconds',
  'Max file size 1048576 1048576 bytes',
  'Max stack size 4194304 4194304 bytes',
  'Max core file size 0 0 bytes',
  'Max processes 20000 20000 processes',
  'Max open files 99 99 files',
  'Max locked memory 0 0 bytes',
  'Max address space 17179869184 17179869184 bytes',
]

/** The shells that /bin/sh is in images. */
const shells = ['/bin/dash', '/bin/bash'].filter((shell) => existsSync(shell))

test.each(shells)('every limit is set by %s, called sh', (shell) => {
  const text = [...limitLines({ nice: null, rlimits: ALL }, 'gateway-x'), 'exec cat /proc/self/limits'].join('\n')
  const { stdout, stderr, status } = spawnSync(shell, ['-c', text], { argv0: 'sh', encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  for (const line of SET) expect(stdout.replaceAll(/ +/g, ' ')).toContain(line)
})

test('without limits a command line stays as it is', () => {
  expect(withLimits(['/bin/x', 'a'], { nice: null, rlimits: null }, 'x')).toEqual(['/bin/x', 'a'])
  expect(withLimits(['/bin/x', 'a'], { nice: null, rlimits: {} }, 'x')).toEqual(['/bin/x', 'a'])
})

test('a command line with limits gets its arguments unchanged, and an unlimited value', () => {
  const argv = withLimits(['printf', '%s,', 'a b', '', '$x'], { nice: 3, rlimits: { core: null, nofile: 50 } }, 'x')
  const [file = '', ...args] = argv
  expect(spawnSync(file, args, { encoding: 'utf8' })).toMatchObject({ stdout: 'a b,,$x,', status: 0 })
})

test('a limit that cannot be set is named, and the program does not start', () => {
  const [file = '', ...args] = withLimits(
    ['echo', 'started'],
    { nice: null, rlimits: { nofile: 2 ** 40 } },
    'service-x',
  )
  expect(spawnSync(file, args, { encoding: 'utf8' })).toMatchObject({
    status: 126,
    stdout: '',
    stderr: `hermes: service-x: rlimits.nofile cannot be set to ${2 ** 40}; its hard limit may be lower\n`,
  })
})
