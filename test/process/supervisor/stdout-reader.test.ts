import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runSync } from '../../../scripts/run.ts'
import { readTail } from '../../../src/system/files/small-file.ts'
import { logLines, type RunningHermes, startHermes } from '../../support/hermes.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { size } from '../../support/size.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const LINE_BYTES = 100
/** One write of a slot: whole lines of more than a pipe. */
const LINES_A_WRITE = 1000
/** For how long a reader that has never read may hold a writer up: 100 ms, and what a busy machine adds. */
const HELD_UP_MS = 700

/** A slot that writes numbered lines when a file appears, as fast as they are taken, and says how long it waited. */
const FLOOD = `
const fs = require('node:fs')
const [name, lines] = [process.argv[1], Number(process.argv[2])]
const written = process.argv[3]
while (!fs.existsSync('go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
let longest = 0
for (let at = 0; at < lines; at += ${LINES_A_WRITE}) {
  let text = ''
  for (let i = at; i < Math.min(lines, at + ${LINES_A_WRITE}); i++)
    text += (name + ' ' + i + ' ').padEnd(${LINE_BYTES - 1}, 'x') + '\\n'
  const startedAtMs = performance.now()
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(fs.writeSync(1, rest))
  longest = Math.max(longest, performance.now() - startedAtMs)
}
fs.writeFileSync('done', String(longest))
setInterval(() => {}, 1e6)
`

/** The real programs, whose standard output is a FIFO that nothing reads yet. */
class Scene implements AsyncDisposable {
  readonly hermes: RunningHermes
  readonly fifo: string
  readonly #names: readonly string[]
  readonly #stdoutFd: number
  readonly #dir: string

  private constructor(hermes: RunningHermes, fifo: string, names: readonly string[], stdoutFd: number, dir: string) {
    this.hermes = hermes
    this.fifo = fifo
    this.#names = names
    this.#stdoutFd = stdoutFd
    this.#dir = dir
  }

  static async start(slots: number, lines: number): Promise<Scene> {
    const dir = quickDir('hermes-stdout-')
    const fifo = join(dir, 'stdout')
    runSync('mkfifo', [fifo])
    const stdoutFd = openSync(fifo, constants.O_RDWR)
    const names = Array.from({ length: slots }, (_, index) => `s${index}`)
    const hermes = await startHermes({
      stdout: stdoutFd,
      profiles: names.map((name) => ({
        name,
        gateway: { command: [process.execPath, '-e', FLOOD, name, String(lines)] },
      })),
    })
    return new Scene(hermes, fifo, names, stdoutFd, dir)
  }

  /** Lets slots write. */
  go(names = this.#names): void {
    for (const name of names) writeFileSync(join(this.hermes.home, 'profiles', name, 'go'), '')
  }

  /** @returns the longest that a write of one of these slots took, ms, when all of them have written everything */
  async written(names = this.#names): Promise<number> {
    const done = names.map((name) => join(this.hermes.home, 'profiles', name, 'done'))
    await waitFor('the slots to have written everything', () => done.every((file) => existsSync(file)), {
      deadlineMs: 600_000,
    })
    return Math.max(...done.map((file) => Number(readFileSync(file, 'utf8'))))
  }

  /** A process that reads the FIFO into a file, as fast as it can. */
  reader(): Reader {
    return new Reader(this.fifo, join(this.#dir, 'read'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hermes[Symbol.asyncDispose]()
    closeSync(this.#stdoutFd)
  }
}

class Reader implements AsyncDisposable {
  readonly file: string
  readonly #cat: ChildProcess

  constructor(fifo: string, file: string) {
    this.file = file
    this.#cat = spawn('sh', ['-c', 'exec cat <"$0" >"$1"', fifo, file], { stdio: 'ignore' })
  }

  pause(): void {
    this.#cat.kill('SIGSTOP')
  }

  resume(): void {
    this.#cat.kill('SIGCONT')
  }

  async hasBytes(bytes: number): Promise<void> {
    const hasThem = (): boolean => (statSync(this.file, { throwIfNoEntry: false })?.size ?? 0) >= bytes
    await waitFor('the reader to have the lines', hasThem, { deadlineMs: 60_000 })
  }

  /** Waits until its last line is the one that says how many are missing. */
  async hasNotice(): Promise<void> {
    await waitFor('the notice', () => readTail(this.file, 200).text?.includes('left out here'))
  }

  /** Numbers of each slot's lines, which must go up by one each; lines that were left out, by the notices. */
  async seen(): Promise<Seen> {
    return readLines(createReadStream(this.file))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#cat, 'exit')
    this.#cat.kill('SIGKILL')
    await exit
  }
}

interface Seen {
  readonly lines: number
  readonly notices: readonly number[]
  /** Lines of a slot that do not follow the one before, without a notice in between. */
  readonly gaps: number
  /** Neither a line of a slot nor a notice. */
  readonly others: readonly string[]
}

async function readLines(input: NodeJS.ReadableStream): Promise<Seen> {
  const next = new Map<string, number>()
  const notices: number[] = []
  const others: string[] = []
  let lines = 0
  let gaps = 0
  for await (const text of createInterface(input)) {
    const [, name = '', number = ''] = /^(s\d+) (\d+) x+$/.exec(text) ?? []
    const leftOut = /^hermes: lines left out here: (\d+);/.exec(text)?.[1]
    if (leftOut !== undefined) {
      notices.push(Number(leftOut))
      next.clear()
    } else if (/^INFO /.test(text)) {
      // the gateway of the default profile
    } else if (name === '' || text.length !== LINE_BYTES - 1) others.push(text)
    else {
      if (Number(number) !== (next.get(name) ?? Number(number))) gaps++
      next.set(name, Number(number) + 1)
      lines++
    }
  }
  return { lines, notices, gaps, others: others.slice(0, 10) }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
/** The last line that a slot's file has. */
const lastOf = ({ hermes }: Scene, name: string): string | undefined => logLines(hermes.home, name).at(-1)

test.each([1, 20])('a reader that reads gets every line of %i slots that write at full speed', async (slots) => {
  const lines = size(100_000, 2_000_000) / slots
  await using scene = await Scene.start(slots, lines)
  await using reader = scene.reader()
  scene.go()
  await scene.written()
  await reader.hasBytes(lines * slots * LINE_BYTES)
  expect(await reader.seen()).toEqual({ lines: lines * slots, notices: [], gaps: 0, others: [] })
})

test('a reader that never reads holds nothing up for long; one line says later how many are missing', async () => {
  const lines = size(100_000, 2_000_000)
  await using scene = await Scene.start(1, lines)
  scene.go()
  expect(await scene.written()).toBeLessThan(stretchedMs(HELD_UP_MS))
  await waitFor('the last line in the file', () => lastOf(scene, 's0')?.includes(` s0 ${lines - 1} `))
  await using reader = scene.reader()
  await reader.hasNotice()
  const seen = await reader.seen()
  expect(seen.lines * LINE_BYTES, 'what the pipe and 1 MB hold').toBeLessThan(3_000_000)
  expect(seen).toMatchObject({ gaps: 0, others: [] })
  expect(seen.notices).toHaveLength(1)
  expect(seen.lines + sum(seen.notices)).toBe(lines)
})

test('a reader that takes less than 64 KiB in 100 ms does not slow a slot down to its speed', async () => {
  const lines = size(100_000, 2_000_000)
  await using scene = await Scene.start(1, lines)
  const fd = openSync(scene.fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  const block = Buffer.alloc(4096)
  let isReading = true
  const slowly = (async (): Promise<void> => {
    for (; isReading; await delay(20)) {
      try {
        readSync(fd, block)
      } catch {
        // EAGAIN: nothing was written yet.
      }
    }
  })()
  scene.go()
  expect(await scene.written()).toBeLessThan(stretchedMs(2 * HELD_UP_MS))
  isReading = false
  await slowly
  closeSync(fd)
  expect(await waitFor('the last line', () => lastOf(scene, 's0')?.includes(` s0 ${lines - 1} `))).toBe(true)
})

test('a reader that stops and comes back gets whole lines, their order, and the number of those it has missed', async () => {
  const lines = size(100_000, 2_000_000)
  await using scene = await Scene.start(2, lines)
  await using reader = scene.reader()
  scene.go(['s0'])
  await scene.written(['s0'])
  await reader.hasBytes(lines * LINE_BYTES)
  reader.pause()
  scene.go(['s1'])
  expect(await scene.written(['s1'])).toBeLessThan(stretchedMs(1000 + HELD_UP_MS))
  // Lines that are still in the slot's pipe would follow the notice.
  await waitFor('the last line in the file', () => lastOf(scene, 's1')?.includes(` s1 ${lines - 1} `))
  reader.resume()
  await reader.hasNotice()
  const seen = await reader.seen()
  expect(seen).toMatchObject({ gaps: 0, others: [] })
  expect(seen.lines + sum(seen.notices)).toBe(2 * lines)
})

test('while one of twenty slots floods a reader that reads slowly, the files of the others have each line at once', async () => {
  await using scene = await Scene.start(20, 100_000)
  // 1.3 MB/s: twice as much as makes a reader.
  const fd = openSync(scene.fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  const block = Buffer.alloc(16_384)
  let isReading = true
  const reading = (async (): Promise<void> => {
    for (; isReading; await delay(10)) {
      try {
        readSync(fd, block)
      } catch {
        // EAGAIN: nothing was written yet.
      }
    }
  })()
  scene.go(['s0'])
  await waitFor('the flood', () => lastOf(scene, 's0')?.includes(' s0 '))
  const startedAtMs = performance.now()
  const others = Array.from({ length: 3 }, (_, index) => `s${index + 1}`)
  scene.go(others)
  for (const name of others) await waitFor(`a line of ${name}`, () => lastOf(scene, name)?.includes(` ${name} `))
  expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(5000))
  isReading = false
  await reading
  closeSync(fd)
})

test('a stop while nothing reads is as quick as any, and the file has what the slot wrote', async () => {
  const lines = 100_000
  await using scene = await Scene.start(1, lines)
  scene.go()
  await scene.written()
  const startedAtMs = performance.now()
  expect(await scene.hermes.stop()).toBe(0)
  expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(5000))
  expect(lastOf(scene, 's0')).toContain(` s0 ${lines - 1} `)
})

test('a supervisor that is killed while lines wait for the reader loses no line of the file but one chunk', async () => {
  const lines = 100_000
  await using scene = await Scene.start(1, lines)
  await using reader = scene.reader()
  scene.go()
  await reader.hasBytes(1000 * LINE_BYTES)
  reader.pause()
  process.kill(await scene.hermes.supervisorPid(), 'SIGKILL')
  await scene.written()
  await waitFor('the last line in the file', () => lastOf(scene, 's0')?.includes(` s0 ${lines - 1} `))
  reader.resume()
  const numbers = logLines(scene.hermes.home, 's0').flatMap((line) => / s0 (\d+) x+$/.exec(line)?.[1] ?? [])
  const missing = lines - Number(numbers[0]) - numbers.length
  expect(missing).toBeLessThanOrEqual(Math.ceil(65_536 / LINE_BYTES) + 1)
})
