import { closeSync, fstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listenForClients } from '../../src/init/boot/run-directory.ts'
import { begin } from '../../src/init/early.ts'
import { NativeError } from '../../src/system/native/native.ts'
import { realNative } from '../support/supervisor/real-native.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-early-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

test('a supervisor that cannot be started early leaves no control socket behind', () => {
  const sockets: number[] = []
  const native = {
    ...realNative,
    unixSocket: () => {
      const fd = realNative.unixSocket() as number
      sockets.push(fd)
      return fd
    },
    spawn: () => {
      throw new NativeError('posix_spawn', 11, 'EAGAIN')
    },
  }
  const early = begin({ native }, '/nowhere')
  expect(early.supervisor).toBeUndefined()
  expect(early.inherited.control).toBeUndefined()
  for (const fd of sockets) expect(() => fstatSync(fd)).toThrow('EBADF')
  expect(sockets).toHaveLength(1)
})

test('the control socket is the one that listens, also where none was made early', () => {
  const early = realNative.unixSocket()
  const first = listenForClients(realNative, { path: join(dir, 'first'), fd: early, owner: undefined })
  expect(first).toBe(early)
  const second = listenForClients(realNative, { path: join(dir, 'second'), fd: undefined, owner: undefined })
  expect(fstatSync(second as number).isSocket()).toBe(true)
  for (const fd of [first, second]) closeSync(fd as number)
})

test('a control socket that cannot listen is closed, and the reason returned', () => {
  const early = realNative.unixSocket() as number
  const path = join(dir, 'x'.repeat(200))
  expect(listenForClients(realNative, { path, fd: early, owner: undefined })).toContain('no control socket')
  expect(() => fstatSync(early)).toThrow('EBADF')
})
