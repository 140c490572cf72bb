import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ConsoleWriter } from '../../src/log/io/console.ts'
import { systemClock } from '../../src/system/clock.ts'
import { scratchDir } from '../support/scratch.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'
import { realNative } from '../support/supervisor/real-native.ts'
import { waitFor } from '../support/wait.ts'
import { LogScene, Pipe } from './scene.ts'

const noSocket = {
  sendNonblocking: (): number => {
    throw new Error('this sink is no socket')
  },
  hasRoom: (): boolean => {
    throw new Error('this sink is not shared')
  },
  pipeRoom: (): number => 0,
}
const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i} ${'x'.repeat(80)}\n`).join('')

test('lines arrive as they are', () => {
  using pipe = new Pipe()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, fakeClock())
  console.write('one\ntwo\n')
  console.write(Buffer.from([0xff, 0x00, 0x0a]))
  expect(pipe.read()).toBe('one\ntwo\n\xff\0\n')
  console.end()
})

test('lines for a slow reader wait, up to 1 MB, and arrive whole when it reads', async () => {
  using pipe = new Pipe()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, fakeClock())
  const text = numbered(0, 10_000)
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at + 5000) + 1 || text.length
    console.write(text.slice(at, end))
    at = end
  }
  expect(console.waitingBytes).toBeGreaterThan(800_000)
  let seen = ''
  await waitFor('the rest', () => {
    seen += pipe.read()
    return seen.length >= text.length
  })
  expect(seen === text).toBe(true)
  expect(console.waitingBytes).toBe(0)
  console.end()
})

test('beyond 1 MB a reader that reads holds back the writers, and nothing is left out', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const total = 100_000
  let written = 0
  const writeOn = (): void => {
    while (written < total && console.mayContinue(console, writeOn)) {
      console.write(numbered(written, written + 500))
      written += 500
      expect(console.waitingBytes).toBeLessThan(1_100_000)
    }
  }
  writeOn()
  let seen = ''
  await waitFor('all lines', () => {
    seen += pipe.read()
    clock.advance(10)
    return written === total && console.waitingBytes === 0
  })
  expect(seen + pipe.read() === numbered(0, total)).toBe(true)
  console.end()
})

test('a reader that stops holds back the writers for a moment; then whole lines are left out, and a line says how many', async () => {
  using pipe = new Pipe()
  const { clock, console, written } = stopped(pipe)
  console.write(numbered(0, 40_000))
  expect(console.mayContinue(console, () => {})).toBe(true)
  let seen = ''
  await waitFor('the notice', () => {
    seen += pipe.read()
    return console.waitingBytes === 0 && seen.includes('left out here')
  })
  console.write('after\n')
  seen += pipe.read()
  const lines = seen.trimEnd().split('\n')
  const leftOut = Number(/^hermes: lines left out here: (\d+); /.exec(lines.at(-2) ?? '')?.[1])
  expect(leftOut).toBeGreaterThan(39_000)
  expect(lines.at(-1)).toBe('after')
  expect(lines.length - 2 + leftOut).toBe(written + 40_000)
  expect(clock.alarms()).toEqual([])
  console.end()
})

test('a reader that has stopped costs nothing: no alarm is set, no more memory taken', () => {
  using pipe = new Pipe()
  const { clock, console } = stopped(pipe)
  for (let i = 0; i < 100; i++) console.write(numbered(0, 500))
  expect(console.waitingBytes).toBeLessThanOrEqual(1_000_000)
  expect(clock.alarms()).toEqual([])
  console.end()
})

test('a wait for the console to be empty lasts while its reader reads, and ends when the reader has stopped', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  await console.emptied()
  console.write(numbered(0, 5000))
  let isEmpty = false
  const emptied = console.emptied().then(() => {
    isEmpty = true
  })
  clock.advance(99)
  await setImmediate()
  expect(isEmpty).toBe(false)
  await waitFor('the lines to be read', () => pipe.read() === '' && console.waitingBytes === 0)
  await emptied
  console.write(numbered(0, 20_000))
  const given = console.emptied()
  clock.advance(1000)
  await given
  console.end()
})

test('a reader that stopped is waited for again once it reads fast enough, and not before', async () => {
  using pipe = new Pipe()
  const { clock, console } = stopped(pipe)
  const block = Buffer.alloc(4096)
  const takeSlowly = async (): Promise<void> => {
    const before = console.waitingBytes
    await waitFor('something to be taken', () => {
      readSync(pipe.readFd, block)
      return console.waitingBytes < before
    })
    clock.advance(50)
  }
  for (let i = 0; i < 40; i++) await takeSlowly()
  console.write(numbered(0, 20_000))
  expect(console.mayContinue(console, () => {})).toBe(true)
  let seen = ''
  await waitFor('the notice', () => {
    seen += pipe.read()
    return seen.includes('left out here')
  })
  for (let i = 0; i < 30; i++) console.write(numbered(0, 500))
  expect(console.mayContinue(console, () => {})).toBe(false)
  console.end()
})

/** A console whose reader has taken nothing for 100 ms, while the writers were held back. */
function stopped(pipe: Pipe): { clock: FakeClock; console: ConsoleWriter; written: number } {
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const writer = new Flood(console)
  writer.write()
  clock.advance(99)
  expect(writer.isHeldBack).toBe(true)
  clock.advance(1)
  expect(writer.isHeldBack).toBe(false)
  return { clock, console, written: writer.lines }
}

/** A line of the main program. */
const MAIN = `main ${'y'.repeat(300)}`

/** A slot that writes as much as it may. */
class Flood {
  isHeldBack = false
  bytes = 0
  lines = 0
  readonly #console: ConsoleWriter

  constructor(console: ConsoleWriter) {
    this.#console = console
  }

  /** @param bytes at most */
  write(bytes = Number.POSITIVE_INFINITY): void {
    const untilBytes = this.bytes + bytes
    while (!this.isHeldBack && this.bytes < untilBytes) {
      const lines = numbered(0, 500)
      this.#console.write(lines, this)
      this.bytes += lines.length
      this.lines += 500
      this.isHeldBack = !this.#console.mayContinue(this, () => {
        this.isHeldBack = false
      })
    }
  }
}

test('a reader that takes 64 KiB every 100 ms is waited for, one that takes half of that has stopped', async () => {
  for (const [bytes, isReading] of [
    [65_536, true],
    [32_768, false],
  ] as const) {
    using pipe = new Pipe()
    const clock = fakeClock()
    const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
    const flood = new Flood(console)
    flood.write()
    for (let i = 0; i < 30 && flood.isHeldBack; i++) {
      clock.advance(50)
      await takes(pipe, console, bytes / 2)
      clock.advance(50)
      await takes(pipe, console, bytes / 2)
      if (isReading) flood.write()
    }
    expect(flood.isHeldBack).toBe(isReading)
    console.end()
  }
})

test('a reader that has read fast may pause for a second, and not longer', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const flood = new Flood(console)
  for (let i = 0; i < 60; i++) {
    flood.write(100_000)
    await waitFor('all of it to be read', () => pipe.read() === '' && console.waitingBytes === 0)
  }
  flood.write()
  clock.advance(900)
  expect(flood.isHeldBack).toBe(true)
  clock.advance(100)
  expect(flood.isHeldBack).toBe(false)
  console.end()
})

test('lines that lie unread in the pipe give no reader time: after a trickle that is not read, nothing is held back', () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const trickle = {}
  for (let i = 0; i < 100; i++) {
    console.write(numbered(0, 100), trickle)
    clock.advance(100)
  }
  const flood = new Flood(console)
  flood.write(3_000_000)
  expect(flood.isHeldBack).toBe(false)
  console.end()
})

test('the event loop hears late of a reader that has read: it is not taken for one that has stopped', async () => {
  using pipe = new Pipe()
  const clock = systemClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const flood = new Flood(console)
  flood.write()
  await setImmediate()
  const busyUntilMs = performance.now() + 300
  let seen = 0
  while (performance.now() < busyUntilMs) seen += pipe.read().length
  expect(seen).toBeGreaterThan(60_000)
  await waitFor('the lines that were written', () => {
    seen += pipe.read().length
    return seen >= flood.bytes
  })
  flood.write(2_000_000)
  expect(flood.isHeldBack).toBe(true)
  console.end()
})

test.each([65_536, 1_048_576])(
  'lines of two writers of one pipe of %i bytes stay whole, although both find it full',
  async (pipeBytes) => {
    using pipe = new Pipe()
    realNative.setPipeSize(pipe.writeFd, pipeBytes)
    const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, realNative, systemClock())
    const other = spawn('sh', [
      '-c',
      'while echo "$0"; do :; done >"$1"',
      MAIN,
      `/proc/${process.pid}/fd/${pipe.writeFd}`,
    ])
    try {
      const flood = new Flood(console)
      let seen = ''
      for (let turn = 0; flood.bytes < 20_000_000 || console.waitingBytes > 0; turn++) {
        if (flood.bytes < 20_000_000) flood.write(70_000)
        // Now and then the reader falls behind.
        if (turn % 50 < 30) seen += pipe.read()
        await setImmediate()
      }
      await ended(other)
      seen += pipe.read()
      const lines = seen.split('\n').slice(0, -1)
      expect(lines.filter((line) => line !== MAIN && !/^line \d+ x{80}$/.test(line))).toEqual([])
      expect(lines.filter((line) => line !== MAIN).length).toBe(flood.lines)
      expect(lines).toContain(MAIN)
    } finally {
      await ended(other)
      console.end()
    }
  },
)

test('one source that floods is held back, and nineteen that say something are not', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const flood = new Flood(console)
  flood.write()
  for (let i = 0; i < 19; i++) {
    const source = {}
    console.write(`line of ${i}\n`, source)
    expect(console.mayContinue(source, () => {})).toBe(true)
  }
  expect(flood.isHeldBack).toBe(true)
  await waitFor('the lines to be read', () => pipe.read() === '' && console.waitingBytes === 0)
  expect(flood.isHeldBack).toBe(false)
  console.end()
})

test('twenty sources that flood share what one may have waiting, and each of them goes on when its share is read', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, clock)
  const floods = Array.from({ length: 20 }, () => new Flood(console))
  let seen = 0
  const read = async (): Promise<void> => {
    seen += pipe.read().length
    clock.advance(1)
    await setImmediate() // the console hears of it
  }
  while (floods.some(({ bytes }) => bytes < 500_000)) {
    for (const flood of floods) flood.write(50_000)
    expect(console.waitingBytes).toBeLessThan(1_000_000 + 20 * 65_536)
    await read()
  }
  const most = Math.max(...floods.map(({ bytes }) => bytes))
  expect(Math.min(...floods.map(({ bytes }) => bytes))).toBeGreaterThan(most / 2)
  while (console.waitingBytes > 0) await read()
  expect(seen + pipe.read().length).toBe(floods.reduce((sum, { bytes }) => sum + bytes, 0))
  console.end()
})

/** The reader takes so many bytes, and the console hears of it. */
async function takes(pipe: Pipe, console: ConsoleWriter, bytes: number): Promise<void> {
  const waiting = console.waitingBytes
  const left = readSync(pipe.readFd, Buffer.alloc(bytes))
  await waitFor('the console to hear of it', () => console.waitingBytes <= Math.max(0, waiting - left + 8192))
}

test('a reader that has gone ends the copy, and nothing else', async () => {
  using pipe = new Pipe()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, fakeClock())
  console.write('one\n')
  pipe.closeReader()
  console.write('two\n')
  expect(console.ended).toBe(true)
  console.write('three\n')
  expect(console.flush()).toBe(true)
})

test('a reader that goes while lines wait for it ends the copy too', async () => {
  using pipe = new Pipe()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, noSocket, fakeClock())
  console.write(numbered(0, 20_000))
  expect(console.waitingBytes).toBeGreaterThan(0)
  pipe.closeReader()
  await waitFor('the end', () => console.ended)
})

test('a terminal without a reader is tried now and then, at most twice a second', async (context) => {
  if (spawnSync('script', ['--version']).error) return context.skip('util-linux script is not installed')
  // script(1) owns the terminal and stops reading it as soon as script itself is not read.
  const terminal = spawn('script', ['-qfec', 'stty raw -echo; tty; exec sleep 1000', '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [path] = (await once(createInterface(terminal.stdout), 'line')) as [string]
    terminal.stdout.pause()
    const fd = openSync(path.trim(), constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const clock = fakeClock()
    const console = new ConsoleWriter({ fd, kind: 'stream' }, noSocket, clock)
    await waitFor('the terminal to be full', () => {
      console.write(numbered(0, 200))
      clock.advance(1)
      return console.waitingBytes > 900_000
    })
    clock.advance(1000) // by then it has stopped
    let tries = 0
    for (let before = clock.alarms()[0]; clock.nowMs() < 1_000_000 + 70_000; before = clock.alarms()[0]) {
      expect(clock.alarms().length).toBe(1)
      clock.advance((before as number) - clock.nowMs())
      tries++
    }
    expect(tries).toBeLessThan(2 * 70 + 20)
    terminal.stdout.resume()
    await waitFor('the lines to flow again', () => {
      clock.advance(500)
      return console.waitingBytes < 800_000
    })
    console.end()
  } finally {
    await ended(terminal)
  }
})

test('a regular file is written where its offset stands, beside what others write', () => {
  const dir = scratchDir('hermes-console-')
  const path = join(dir, 'out')
  const fd = openSync(path, 'w')
  writeSync(fd, 'main program\n')
  const console = new ConsoleWriter({ fd, kind: 'file' }, noSocket, fakeClock())
  console.write(numbered(0, 100))
  console.end()
  expect(readFileSync(path, 'utf8')).toBe(`main program\n${numbered(0, 100)}`)
})

test('a socket gets everything without its flags being touched', async () => {
  const dir = scratchDir('hermes-console-')
  const received: string[] = []
  const server = createServer((peer) => peer.on('data', (data) => received.push(data.toString())))
  await once(server.listen(join(dir, 'socket')), 'listening')
  const client = connect(join(dir, 'socket'))
  await once(client, 'connect')
  const { fd } = (client as Socket & { _handle: { fd: number } })._handle
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd, kind: 'socket' }, realNative, clock)
  for (let i = 0; i < 8000; i += 500) console.write(numbered(i, i + 500))
  await waitFor('all lines', () => {
    clock.advance(500)
    return received.join('').length === numbered(0, 8000).length
  })
  expect(received.join('') === numbered(0, 8000)).toBe(true)
  client.destroy()
  server.close()
})

test('a sink that was closed from the start takes nothing', () => {
  const console = new ConsoleWriter({ fd: -1, kind: 'none' }, noSocket, fakeClock())
  console.write('one\n')
  expect(console.ended).toBe(true)
  expect(console.waitingBytes).toBe(0)
})

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

test('a slot whose lines wait for the reader is not read any further, and the reader gets all of them', async () => {
  using pipe = new Pipe()
  const clock = fakeClock()
  const console = new ConsoleWriter({ fd: pipe.writeFd, kind: 'stream' }, realNative, clock)
  await using scene = new LogScene({ console, clock })
  const writer = spawn('sh', ['-c', 'yes 0123456789 | head -n 500000 >"$0"', scene.fifo], { stdio: 'ignore' })
  const bytes = 500_000 * 11
  try {
    await waitFor('lines to wait', () => console.waitingBytes > 900_000)
    let seen = 0
    while (seen < bytes) {
      expect(console.waitingBytes).toBeLessThan(1_000_000 + 2 * 65_536)
      seen += pipe.read().length
      await setImmediate()
    }
    expect(seen).toBe(bytes)
  } finally {
    await ended(writer)
    console.end()
  }
})
