import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { notifyListeners } from '../../../src/init/processes/listeners.ts'
import { scratchDir } from '../../support/scratch.ts'

const why = process.getuid?.() === 0 ? undefined : 'needs root'
const RUNTIME = 10_000

describe.skipIf(why !== undefined)(`listeners that only root may notify (${why ?? 'as root'})`, () => {
  let dir = ''
  let fds: number[] = []
  beforeEach(() => {
    dir = scratchDir('hermes-listeners-')
    mkdirSync(join(dir, 'slot', 'event'), { recursive: true })
  })
  afterEach(() => {
    for (const fd of fds) closeSync(fd)
    fds = []
  })
  let count = 0
  const nameOf = (): string => `ftrig1:@400000006b02dc7110a8f3d1:${String(++count).padStart(6, 'x')}`
  /** A FIFO with a reader. @returns what has come */
  const listen = (path: string, uid = 0, mode = 0o600): (() => string) => {
    execFileSync('mkfifo', [path])
    chmodSync(path, mode)
    chownSync(path, uid, uid)
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    fds.push(fd)
    return () => {
      const buffer = Buffer.alloc(100)
      try {
        return buffer.toString('latin1', 0, readSync(fd, buffer))
      } catch {
        return '' // EAGAIN: nothing has come
      }
    }
  }
  const event = (): string => join(dir, 'slot', 'event', nameOf())

  test('root’s FIFO receives the events; those that the supervisor may write, and other files, do not', () => {
    const roots = listen(event())
    const others = listen(event(), 1)
    const supervisors = listen(event(), RUNTIME)
    const open = listen(event(), 0, 0o622)
    const stranger = listen(join(dir, 'slot', 'event', 'fifo'))
    const file = event()
    writeFileSync(file, '')
    notifyListeners(join(dir, 'slot'), 'dD', RUNTIME)
    expect([roots(), others(), supervisors(), open(), stranger()]).toEqual(['dD', 'dD', '', '', ''])
    expect(execFileSync('cat', [file], { encoding: 'utf8' })).toBe('')
  })

  test('one without a reader is removed; a slot without a directory is ignored', () => {
    const gone = event()
    execFileSync('mkfifo', ['-m', '600', gone])
    notifyListeners(join(dir, 'slot'), 'u', RUNTIME)
    expect(existsSync(gone)).toBe(false)
    notifyListeners(join(dir, 'none'), 'u', RUNTIME)
  })

  test('no link is followed, be it the slot, its events or a listener', () => {
    mkdirSync(join(dir, 'elsewhere', 'event'), { recursive: true })
    const far = listen(join(dir, 'elsewhere', 'event', nameOf()))
    symlinkSync('elsewhere', join(dir, 'linked'))
    mkdirSync(join(dir, 'half'))
    symlinkSync('../elsewhere/event', join(dir, 'half', 'event'))
    const target = join(dir, 'target')
    const direct = listen(target)
    symlinkSync(target, event())
    for (const slot of ['linked', 'half', 'slot']) notifyListeners(join(dir, slot), 'u', RUNTIME)
    expect([far(), direct()]).toEqual(['', ''])
  })
})
