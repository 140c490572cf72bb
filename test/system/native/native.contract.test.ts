// One suite for every implementation of the port. A case an implementation cannot pass carries its reason.
import { execFile, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { release } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { WITHOUT_WARNING } from '../../../src/system/native/ffi-binding.ts'
import { type Native, NativeError, type SpawnedProgram } from '../../../src/system/native/native.ts'
import { degradedNative } from '../../../src/system/native/native-degraded.ts'
import { ffiNative, koffiNative } from '../../../src/system/native/native-libc.ts'
import { rawMode } from '../../../src/system/native/terminal-mode.ts'
import { tellsEnds } from '../../support/container/kernel.ts'
import { FakeNative } from '../../support/hostile/native-fake.ts'
import { sharedScratchDir } from '../../support/scratch.ts'
import { listenForDatagrams } from '../../support/supervisor/datagrams.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

interface Subject {
  readonly native: Native
  /** A child that has ended and that only the port can reap. */
  readonly endedChild: () => Promise<number>
  /** A child that lives, led by itself in a group of its own, until `end` is called. */
  readonly livingChild: () => Promise<{ pid: number; end(): Promise<void> }>
  /** Runs statements with `native` in a process of their own. */
  readonly inChild?: (code: string, detached?: boolean) => Promise<{ code: number | null; stdout: string }>
  readonly skips: { readonly [name: string]: string }
}

const dir = sharedScratchDir('hermes-native-')
let count = 0
const fresh = (): string => join(dir, `file-${count++}`)

const ENDS =
  'a program that has opened a process learns how it ended, after its parent has waited for it and not before'

const DATAGRAM = 'a datagram arrives at a socket, with a file or without; a missing one is an error'
const FFI = [WITHOUT_WARNING]

const NO_PROGRAMS = 'the fake starts no programs'

const portSource = join(import.meta.dirname, '../../../src/system/native/native-libc.ts')

/** @param options of a Node process with which `loadNative` takes this one */
async function libc(native: Native | undefined, options: readonly string[]): Promise<Subject> {
  if (native === undefined) throw new Error(`Node ${process.versions.node} has no node:ffi`)
  native.becomeSubreaper() // so that orphans of this process are its children, and not libuv's
  return {
    native,
    async endedChild() {
      // The orphan ends when we say so, with the shell gone: until then it would be the shell's to reap.
      const shell = spawn('sh', ['-c', '(read _; exit 3) <&3 >/dev/null & echo $!'], {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      })
      const [, stdout, , stdin] = shell.stdio as unknown as [null, Readable, null, Writable]
      const gone = new Promise((resolve) => shell.once('exit', resolve))
      const pid = Number(await text(stdout))
      await gone
      stdin.end('\n')
      return waitFor('the orphan to end', () => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')) && pid)
    },
    async livingChild() {
      const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      return {
        pid: child.pid as number,
        async end() {
          child.kill('SIGKILL')
          await ended
        },
      }
    },
    // As our own programs are started: with USR1 blocked.
    inChild: (code, detached = false) =>
      new Promise((resolve) => {
        const source = `const { native } = await (await import(${JSON.stringify(portSource)})).loadNative();${code}`
        const child = spawn(process.execPath, [...options, '--disable-sigusr1', '--input-type=module', '-e', source], {
          detached,
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        let stdout = ''
        child.stdout.on('data', (chunk: Buffer) => {
          stdout += chunk
        })
        child.once('close', (exit) => resolve({ code: exit, stdout }))
      }),
    skips: tellsEnds ? {} : { [ENDS]: `Linux ${release()} does not tell, 6.15 does` },
  }
}

function fake(): Subject {
  const native = new FakeNative()
  let pid = 1000
  return {
    native,
    async endedChild() {
      native.ends(++pid, 3 << 8)
      return pid
    },
    async livingChild() {
      const mine = ++pid
      native.born(mine)
      return {
        pid: mine,
        async end() {
          native.ends(mine, 9)
          native.reap(mine)
        },
      }
    },
    skips: {
      [DATAGRAM]: 'the fake has no sockets',
      'a socket that listens': 'the fake has no descriptor to give that could be listened on',
      'what is written to a pipe or a socket has a reader until the other end goes':
        'the fake’s descriptors are imagined',
      'a socket takes what it can and never waits': 'the fake sends nowhere',
      'a new terminal passes on what is written, has the size it is given and no more rules than it is given':
        'the fake imagines no terminal',
      'a signal that is unblocked arrives': 'the fake imagines signals',
      'a program is spawned with its words, variables, directory and descriptors, and nothing else': NO_PROGRAMS,
      'the standard streams of a spawned program block': NO_PROGRAMS,
      'a spawned program leads a session, with default signals': NO_PROGRAMS,
      'a program that cannot be spawned is an error': NO_PROGRAMS,
    },
  }
}

const subjects = [
  ['libc through koffi', await libc(await koffiNative(), [])],
  ['libc through node:ffi', await libc(ffiNative(FFI), FFI)],
  ['the fake', fake()],
] as const

/**
 * Both ends of a Unix socket: a descriptor, and a client that does not read. `destroy` closes what listened, and the
 * descriptor.
 */
async function connectedSocket() {
  const path = fresh()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const client = connect(path)
  client.pause()
  const socket = await accepted
  const destroy = (): void => {
    socket.destroy()
    server.close()
  }
  return { fd: (socket as unknown as { _handle: { fd: number } })._handle.fd, client, destroy }
}

describe.each(subjects)('%s', (_, { native, endedChild, livingChild, inChild, skips }) => {
  const contract = (name: string, body: () => Promise<void> | void): void => {
    const reason = skips[name]
    if (reason === undefined) test(name, body)
    else test.skip(`${name} (${reason})`, body)
  }
  const failure = (work: () => unknown): NativeError => {
    try {
      work()
    } catch (error) {
      if (error instanceof NativeError) return error
      throw error
    }
    throw new Error('it did not fail')
  }

  contract('without an ended child there is nothing to see', () => {
    expect(native.peekEndedChild()).toBeUndefined()
  })

  contract('an ended child is seen as often as asked, reaped once, and then gone', async () => {
    const pid = await endedChild()
    expect(native.peekEndedChild()).toBe(pid)
    expect(native.peekEndedChild()).toBe(pid)
    expect(native.reap(pid)).toBe(3 << 8)
    expect(native.reap(pid)).toBeUndefined()
    expect(native.peekEndedChild()).toBeUndefined()
  })

  contract('a child that lives is neither seen nor reaped', async () => {
    const child = await livingChild()
    expect(native.peekEndedChild()).toBeUndefined()
    expect(native.reap(child.pid)).toBeUndefined()
    await child.end()
  })

  contract(ENDS, async () => {
    const child = await livingChild()
    const fd = native.openProcess(child.pid) as number
    expect(native.waitStatus(fd)).toBeUndefined()
    await child.end()
    expect(native.waitStatus(fd)).toBe(9)
    closeSync(fd)
    expect(native.openProcess(child.pid)).toBeUndefined()

    const zombie = await endedChild()
    const other = native.openProcess(zombie) as number
    expect(native.waitStatus(other)).toBeUndefined()
    native.reap(zombie)
    expect(native.waitStatus(other)).toBe(3 << 8)
    closeSync(other)
  })

  contract('what is no opened process has no end to tell', () => {
    const file = openSync(fresh(), 'w')
    expect(native.waitStatus(file)).toBeUndefined()
    closeSync(file)
  })

  contract('a process that is no child is not reaped', () => {
    expect(native.reap(1)).toBeUndefined()
  })

  /** Spawns sh and returns what it wrote to its fd 1 and its wait status. */
  const spawned = async (script: string, more: Partial<SpawnedProgram> = {}) => {
    const file = fresh()
    const out = openSync(file, 'w')
    const pid = native.spawn({
      file: '/bin/sh',
      args: ['-c', script, 'sh', 'two words', "it's"],
      env: { A: 'ä', EMPTY: '' },
      cwd: '/usr',
      fds: ['ignore', out, 2],
      ...more,
    }) as number
    const status = await waitFor('its end', () => {
      const ended = native.reap(pid)
      return ended !== undefined && { ended }
    })
    closeSync(out)
    return { pid, status: status.ended, stdout: readFileSync(file, 'utf8') }
  }

  contract('a program is spawned with its words, variables, directory and descriptors, and nothing else', async () => {
    const mine = openSync(fresh(), 'w')
    const shown = 'echo "$1,$2,$A,$PWD"; env | grep -v ^_; ls -l /proc/$$/fd'
    const { status, stdout } = await spawned(`${shown}; exit 7`)
    expect(status).toBe(7 << 8)
    const [echoed, ...lines] = stdout.trim().split('\n')
    expect(echoed).toBe("two words,it's,ä,/usr")
    expect(lines.filter((line) => /^\w+=/.test(line)).sort()).toEqual(['A=ä', 'EMPTY=', 'PWD=/usr'])
    const open = lines.flatMap((line) => / (\d+ -> .*)$/.exec(line)?.[1] ?? [])
    expect(open.slice(0, 3).map((line) => line.slice(0, 4))).toEqual(['0 ->', '1 ->', '2 ->'])
    expect(open[0]).toBe('0 -> /dev/null')
    // Descriptors that Node has opened here are not open there.
    expect(open.join('\n')).not.toContain(`${mine} -> `)
    closeSync(mine)
    // Descriptors that are taken before their turn: each lands where it belongs.
    const [first, second] = [openSync(fresh(), 'w'), openSync(fresh(), 'w')]
    const at = Math.max(first, second) + 1
    const fds = Array.from({ length: at + 1 }, (_, fd) =>
      fd === first ? second : fd === second ? first : ('ignore' as const),
    )
    const log = fresh()
    fds[1] = openSync(log, 'w')
    fds[at] = fds[1]
    await spawned(`cd /proc/$$/fd; echo a >${first}; echo b >${second}; echo c >${at}`, { fds })
    const textOf = (fd: number): string => readFileSync(`/proc/self/fd/${fd}`, 'utf8')
    expect([textOf(first), textOf(second), readFileSync(log, 'utf8')]).toEqual(['b\n', 'a\n', 'c\n'])
    for (const fd of new Set([first, second, fds[1]])) closeSync(fd)
  })

  contract('the standard streams of a spawned program block', async () => {
    const [read, write] = native.pipe({ nonblockingRead: true })
    const out = openSync(fresh(), 'w+')
    await spawned('grep flags /proc/$$/fdinfo/0', { fds: [read, out, 2] })
    const flags = readFileSync(`/proc/self/fd/${out}`, 'utf8')
    for (const fd of [read, write, out]) closeSync(fd)
    expect(Number.parseInt(/^flags:\s*(\d+)$/m.exec(flags)?.[1] ?? '', 8) & 0o4000).toBe(0)
  })

  contract('a spawned program leads a session, with default signals', async () => {
    const script = `exec cat /proc/self/stat /proc/self/status`
    const { pid, stdout } = await spawned(script)
    const [, , , , group, session] = stdout.split(' ')
    expect([group, session]).toEqual([String(pid), String(pid)])
    // Of cat: while a shell waits for a program, it blocks signals for a moment.
    expect(stdout).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}$/m)
    expect((await spawned('kill -40 $$')).status).toBe(40)
  })

  contract('a program that cannot be spawned is an error', () => {
    const program = { file: '/bin/true', args: [], env: {}, cwd: '/', fds: [] }
    const script = fresh()
    writeFileSync(script, 'exit 0\n', { mode: 0o755 })
    expect(failure(() => native.spawn({ ...program, file: '/no/such' })).code).toBe('ENOENT')
    expect(failure(() => native.spawn({ ...program, cwd: '/no/such' })).code).toBe('ENOENT')
    expect(failure(() => native.spawn({ ...program, file: '/etc/passwd' })).code).toBe('EACCES')
    expect(failure(() => native.spawn({ ...program, file: script })).code).toBe('ENOEXEC')
    expect(failure(() => native.spawn({ ...program, fds: [999] })).code).toBe('EBADF')
    expect(native.peekEndedChild()).toBeUndefined()
  })

  contract('signal 0 tells whether a process or a group is there', async () => {
    const child = await livingChild()
    expect(native.kill(child.pid, 0)).toBe(true)
    expect(native.kill(-child.pid, 0)).toBe(true)
    await child.end()
    expect(native.kill(child.pid, 0)).toBe(false)
    expect(native.kill(-child.pid, 0)).toBe(false)
  })

  contract('a FIFO is made with its mode; one that is there already is an error', () => {
    const path = fresh()
    native.mkfifo(path, 0o600)
    expect([lstatSync(path).isFIFO(), lstatSync(path).mode & 0o777]).toEqual([true, 0o600])
    expect(failure(() => native.mkfifo(path, 0o600))).toMatchObject({ call: 'mkfifo', code: 'EEXIST', errno: 17 })
    expect(failure(() => native.mkfifo('/no/such/dir/fifo', 0o600))).toMatchObject({ code: 'ENOENT' })
  })

  contract('a pipe carries bytes; its read end does not block if asked so, its write end does', () => {
    const [read, write] = native.pipe({ nonblockingRead: true })
    const buffer = Buffer.alloc(10)
    expect(() => readSync(read, buffer)).toThrow('EAGAIN')
    writeSync(write, 'hello')
    expect(buffer.toString('utf8', 0, readSync(read, buffer))).toBe('hello')
    const flags = (fd: number): number =>
      Number.parseInt(/^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '', 8)
    expect(flags(write) & 0o4000).toBe(0)
    expect([flags(read) & 0o2000000, flags(write) & 0o2000000]).toEqual([0o2000000, 0o2000000])
    closeSync(write)
    expect(readSync(read, buffer)).toBe(0)
    closeSync(read)
  })

  contract('a pipe’s size is what was asked for, rounded up to what the kernel gives', () => {
    const [read, write] = native.pipe({ nonblockingRead: true })
    expect(native.setPipeSize(write, 1)).toBe(4096)
    expect(native.setPipeSize(write, 5000)).toBe(8192)
    for (const fd of [read, write]) closeSync(fd)
    const file = openSync(fresh(), 'w')
    expect(failure(() => native.setPipeSize(file, 4096)).code).toBe('EBADF')
    closeSync(file)
  })

  contract('a pipe takes in one write what it has room for, whatever was written and read before', () => {
    for (const size of [65_536, 1_048_576]) {
      const [read, write] = native.pipe({ nonblockingRead: true })
      native.setPipeSize(write, size)
      const fd = openSync(`/proc/self/fd/${write}`, constants.O_WRONLY | constants.O_NONBLOCK)
      const block = Buffer.alloc(size)
      // As wasteful as pages can be used: two bytes more than half of one, a full one and a byte, one byte, many pages.
      for (const length of [2050, 4097, 1, 30_000, 4096, 2050, 2050, 4095, 70_000]) {
        for (let i = 0; i < 40; i++) {
          const room = native.pipeRoom(fd)
          if (room < length) break
          expect(writeSync(fd, block, 0, length)).toBe(length)
          if (i % 3 === 0) readSync(read, block, 0, Math.ceil(length / 2), null)
        }
        const room = native.pipeRoom(fd)
        expect(room).toBeLessThanOrEqual(size)
        if (room === 0) break
        expect(writeSync(fd, block, 0, room)).toBe(room)
        readSync(read, block)
      }
      for (const one of [read, write, fd]) closeSync(one)
    }
    const file = openSync(fresh(), 'w')
    expect(native.pipeRoom(file)).toBe(0)
    closeSync(file)
  })

  contract('a lock belongs to one opened file: the second is refused, until the first is closed', () => {
    const path = fresh()
    writeFileSync(path, '')
    const [first, second] = [openSync(path, 'r+'), openSync(path, 'r+')]
    expect(native.isLocked(second)).toBe(false)
    expect(native.tryLock(first)).toBe('held')
    expect(native.tryLock(first)).toBe('held')
    expect(native.tryLock(second)).toBe('busy')
    expect([native.isLocked(first), native.isLocked(second)]).toEqual([false, true])
    // Closing another descriptor of the file does not lose it, as it would with a POSIX lock.
    closeSync(openSync(path, 'r+'))
    expect(native.tryLock(second)).toBe('busy')
    closeSync(first)
    expect(native.tryLock(second)).toBe('held')
    closeSync(second)
  })

  contract('a lock that is asked for on another thread is the same', async () => {
    const path = fresh()
    writeFileSync(path, '')
    const [first, second] = [openSync(path, 'r+'), openSync(path, 'r+')]
    expect(await native.tryLockLater(first)).toBe('held')
    expect(await native.tryLockLater(second)).toBe('busy')
    closeSync(first)
    expect(await native.tryLockLater(second)).toBe('held')
    closeSync(second)
  })

  contract('a socket that listens', async () => {
    const path = fresh()
    const fd = native.listenUnix(path, 5)
    expect(fstatSync(fd).isSocket()).toBe(true)
    expect(failure(() => native.listenUnix(path, 5))).toMatchObject({ call: 'bind', code: 'EADDRINUSE' })
    // A client that comes before the server accepts waits in the queue.
    const client = connect(path)
    await new Promise((resolve) => client.once('connect', resolve))
    const server = createServer((socket) => socket.end('hello'))
    server.listen({ fd })
    const answer = await new Promise((resolve) => client.once('data', (chunk) => resolve(String(chunk))))
    expect(answer).toBe('hello')
    await new Promise((resolve) => server.close(resolve))
  })

  contract('a socket path that is too long is a RangeError', () => {
    expect(() => native.listenUnix(`/tmp/${'x'.repeat(103)}`, 5)).toThrow(RangeError)
  })

  contract('a socket takes what it can and never waits', async () => {
    const { fd, client, destroy } = await connectedSocket()
    native.setNonblocking(fd, false)
    const chunk = Buffer.alloc(100_000)
    let sent = 0
    for (let taken = native.sendNonblocking(fd, chunk); taken > 0; taken = native.sendNonblocking(fd, chunk))
      sent += taken
    expect(sent).toBeGreaterThan(0)
    client.destroy()
    await new Promise((resolve) => client.once('close', resolve))
    // MSG_NOSIGNAL: an error, not SIGPIPE.
    expect(failure(() => native.sendNonblocking(fd, chunk)).code).toBe('EPIPE')
    destroy()
  })

  contract('what is written to a pipe or a socket has a reader until the other end goes', async () => {
    const [read, write] = native.pipe({ nonblockingRead: false })
    expect(native.hasReader(write)).toBe(true)
    closeSync(read)
    expect(native.hasReader(write)).toBe(false)
    closeSync(write)
    const { fd, client, destroy } = await connectedSocket()
    expect(native.hasReader(fd)).toBe(true)
    client.destroy()
    await waitFor('the hang-up', () => !native.hasReader(fd))
    destroy()
    const file = openSync(fresh(), 'w')
    expect(native.hasReader(file)).toBe(true)
    closeSync(file)
  })

  contract(DATAGRAM, () => {
    for (const name of [fresh(), `@${fresh()}`]) {
      using socket = listenForDatagrams(name)
      native.sendDatagram(name, Buffer.from('READY=1'))
      native.sendDatagram(name, Buffer.from('STOPPING=1'))
      expect(socket.received()).toEqual(['READY=1', 'STOPPING=1'])
    }
    expect(failure(() => native.sendDatagram(fresh(), Buffer.from('x')))).toMatchObject({
      call: 'sendto',
      code: 'ENOENT',
    })
    expect(() => native.sendDatagram('x'.repeat(108), Buffer.from('x'))).toThrow(RangeError)
  })

  contract('sending on what is no socket is an error', () => {
    const file = openSync(fresh(), 'w')
    expect(failure(() => native.sendNonblocking(file, Buffer.from('x')))).toMatchObject({
      call: 'send',
      code: 'ENOTSOCK',
    })
    closeSync(file)
  })

  contract('giving up a terminal that is none is an error', () => {
    const file = openSync(fresh(), 'w')
    expect(failure(() => native.giveUpTerminal(file))).toMatchObject({ call: 'ioctl', code: 'ENOTTY' })
    closeSync(file)
  })

  contract('an exit is at once, with its code', async () => {
    if (inChild === undefined) expect(() => native.exitNow(7)).toThrow('_exit(7)')
    else {
      const { code, stdout } = await inChild(
        'process.on("exit", () => console.log("late")); setInterval(() => {}, 1000); native.exitNow(7)',
      )
      expect([code, stdout]).toEqual([7, ''])
    }
  })

  contract(
    'a new terminal passes on what is written, has the size it is given and no more rules than it is given',
    async () => {
      const { master, slave } = native.openTerminal()
      try {
        native.resizeTerminal(master, { columns: 101, rows: 7 })
        expect(native.terminalSize(slave)).toEqual({ columns: 101, rows: 7 })
        const read = (): string => {
          const buffer = Buffer.alloc(16)
          return buffer.toString('latin1', 0, readSync(master, buffer))
        }
        writeSync(slave, 'a\n')
        expect(read()).toBe('a\r\n')
        const mode = native.terminalMode(slave)
        native.setTerminalMode(slave, rawMode(mode))
        writeSync(slave, 'b\n')
        expect(read()).toBe('b\n')
        writeSync(master, '\x03\x04\r')
        const bytes = Buffer.alloc(16)
        expect(bytes.toString('latin1', 0, readSync(slave, bytes))).toBe('\x03\x04\r')
        native.setTerminalMode(slave, mode)
        expect(native.terminalMode(slave)).toEqual(mode)
      } finally {
        for (const fd of [slave, master]) closeSync(fd)
      }
    },
  )

  contract('a signal that is unblocked arrives', async () => {
    const { stdout } = await (inChild as NonNullable<typeof inChild>)(
      `process.on('SIGUSR1', () => { console.log('arrived'); process.exit() })
       setTimeout(() => { process.kill(process.pid, 'SIGUSR1'); native.unblock(10) }, 100)
       setTimeout(() => undefined, 5000)`,
    )
    expect(stdout).toBe('arrived\n')
  })

  contract('a session’s leader knows it', async () => {
    if (inChild === undefined) expect(native.isSessionLeader()).toBe(false)
    else {
      const ask = 'console.log(native.isSessionLeader())'
      expect([(await inChild(ask)).stdout, (await inChild(ask, true)).stdout]).toEqual(['false\n', 'true\n'])
    }
  })

  const noRoot = process.getuid?.() === 0 ? undefined : 'only root has anything to give up'
  test.skipIf(noRoot !== undefined)(named('privileges are dropped for good', noRoot), async () => {
    const identity = { uid: 1234, gid: 4321, groups: [5, 6] }
    if (inChild === undefined) {
      native.dropPrivileges(identity)
      return
    }
    const { stdout } = await inChild(
      `native.dropPrivileges(${JSON.stringify(identity)});
       const { readFileSync } = await import('node:fs');
       console.log(readFileSync('/proc/self/status', 'utf8').split('\\n').filter((line) => /^(Uid|Gid|Groups|CapEff)/.test(line)).join('|'));
       try { native.dropPrivileges({ uid: 0, gid: 0, groups: [] }); console.log('root again') } catch (error) { console.log(error.message) }`,
    )
    expect(stdout).toBe(
      'Uid:\t1234\t1234\t1234\t1234|Gid:\t4321\t4321\t65534\t4321|Groups:\t5 6 |CapEff:\t0000000000000000\nsetgroups: EPERM\n',
    )
  })
})

describe('the binding', () => {
  const chosenBy = (options: readonly string[], more = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const source = `import { readFileSync, openSync } from 'node:fs'
        const { native, problem } = await (await import(${JSON.stringify(portSource)})).loadNative()
        ${more}
        console.log(problem ?? (readFileSync('/proc/self/maps', 'latin1').includes('koffi.node') ? 'koffi' : 'node:ffi'))`
      execFile(process.execPath, [...options, '--input-type=module', '-e', source], (error, stdout, stderr) =>
        error ? reject(error) : resolve(stdout + stderr),
      )
    })

  test('of a program of ours is that of its Node; without one, and in a script, it is koffi; none warns', async () => {
    expect(await chosenBy(FFI)).toBe('node:ffi\n')
    expect(await chosenBy([...FFI, '--no-experimental-ffi'])).toBe('koffi\n')
    expect(await chosenBy([])).toBe('koffi\n')
  })

  test('of a Node with another node:ffi is koffi', async () => {
    const another =
      'process.getBuiltinModule = () => ({ DynamicLibrary: class { getFunction() { return () => 1n } } });'
    const preload = `data:text/javascript,${encodeURIComponent(another)}`
    expect(await chosenBy([...FFI, '--import', preload])).toBe('koffi\n')
  })

  test('asks for a lock on a file system of its own kind in a thread, through koffi', async () => {
    expect(await chosenBy(FFI, `await native.tryLockLater(openSync(${JSON.stringify(fresh())}, 'w'))`)).toBe(
      'node:ffi\n',
    )
    // Files of proc can be locked, and proc is not among the file systems that are known.
    const proc = "if ((await native.tryLockLater(openSync('/proc/self/comm', 'r+'))) !== 'held') throw new Error()"
    expect(await chosenBy(FFI, proc)).toBe('koffi\n')
  })
})

describe('without the binding', () => {
  test('functions of plain Node still work, the rest is ENOSYS', () => {
    const native = degradedNative()
    expect(native.peekEndedChild()).toBeUndefined()
    expect(native.tryLock(0)).toBe('unsupported')
    expect(native.kill(process.pid, 0)).toBe(true)
    expect(native.kill(2 ** 22 + 1, 0)).toBe(false)
    const [read, write] = native.pipe({ nonblockingRead: true })
    writeSync(write, 'x')
    expect(readSync(read, Buffer.alloc(1))).toBe(1)
    for (const fd of [read, write]) closeSync(fd)
    for (const call of [
      () => native.listenUnix('/x', 1),
      () => native.becomeSubreaper(),
      () => native.setPipeSize(0, 1),
    ]) {
      expect(call).toThrow(/ENOSYS/)
    }
  })

  test('a program whose koffi.node is missing says so once and goes on', async () => {
    const source = `import { register } from 'node:module'
      register('data:text/javascript,' + encodeURIComponent('export async function resolve(name, context, next) { if (name === "koffi") throw new Error("no such binding"); return next(name, context) }'))
      const { native, problem } = await (await import(${JSON.stringify(portSource)})).loadNative()
      console.log(problem); console.log(native.tryLock(0))`
    const stdout = await new Promise<string>((resolve, reject) =>
      execFile(process.execPath, ['--no-warnings', '--input-type=module', '-e', source], (error, out) =>
        error ? reject(error) : resolve(out),
      ),
    )
    expect(stdout).toMatch(
      /^the native binding \(koffi\) does not load: no such binding; going on without: .*\nunsupported\n$/,
    )
  })
})
