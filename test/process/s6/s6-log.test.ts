// Our s6-log, as log/run scripts call it; beside Debian's, where that is installed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { installDir } from '../../support/install.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const LOG = [process.execPath, join(installDir(), 'lib', 's6-log.cjs')]
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /gm

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-s6-log-')
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** sh text; `$log` stands for our logger, `$dir` for the test’s directory. */
async function sh(text: string): Promise<Ended> {
  const child = spawn('sh', ['-c', text], {
    env: { PATH: process.env.PATH, dir, log: LOG.join(' ') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    let all = ''
    for await (const chunk of stream.setEncoding('utf8')) all += chunk
    return all
  }
  const [stdout, stderr, [code]] = await Promise.all([read(child.stdout), read(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}

/** Every line of a log directory, in the order of writing. */
const lines = (log: string): string => {
  const names = readdirSync(log).filter((name) => /\.log$|\.[su]$/.test(name))
  return [...names.sort(), 'current'].map((name) => readFileSync(join(log, name), 'latin1')).join('')
}

test('lines are stamped and rotated, the newest files are kept, and the last line needs no newline', async () => {
  expect(await sh('{ seq 1 20000; printf end; } | $log n3 s20000 T "$dir/log"')).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  })
  const log = join(dir, 'log')
  const archives = readdirSync(log).filter((name) => /^\d{8}T\d{6}\.\d{3}Z\.log$/.test(name))
  expect(archives).toHaveLength(3)
  for (const name of [...archives, 'current']) expect(statSync(join(log, name)).size).toBeLessThanOrEqual(20_000)
  const kept = lines(log)
  expect(kept.match(STAMP)).toHaveLength(kept.split('\n').length - 1)
  const numbers = kept.replaceAll(STAMP, '').split('\n')
  expect(numbers.slice(-2)).toEqual(['end', ''])
  const first = Number(numbers[0])
  expect(numbers.slice(0, -2)).toEqual(Array.from({ length: 20_000 - first + 1 }, (_, i) => String(first + i)))
  expect(statSync(log).mode & 0o777).toBe(0o700)
})

test('without t or T nothing is added; 1 is the standard output', async () => {
  expect((await sh(`printf 'a\\nb\\377' | $log 1 "$dir/plain" T "$dir/stamped"`)).stdout).toBe('a\nb\uFFFD\n')
  expect(lines(join(dir, 'plain'))).toBe('a\nb\xff\n')
  expect(lines(join(dir, 'stamped')).replaceAll(STAMP, '')).toBe('a\nb\xff\n')
  expect((await sh(`printf 'a\\nb\\n' | $log T 1`)).stdout).toMatch(/^\S+Z a\n\S+Z b\n$/)
  // The copy has no reader: the file has everything.
  await sh(`seq 1 50000 | { $log 1 s9999999 "$dir/alone" 2>/dev/null | true; }`)
  expect(lines(join(dir, 'alone')).split('\n')).toHaveLength(50_001)
})

test('after a stop signal it ends with a whole line, and the next one goes on where it stopped', async () => {
  const size = 'cat "$dir/log/current" 2>/dev/null | wc -c'
  const said = await sh(`{ n=1; until [ -e "$dir/enough" ]; do seq $n $((n + 999)); n=$((n + 1000)); done; } | {
    exec 3<&0 # what runs in the background has no other standard input
    for _ in 1 2 3; do
      before=$(${size})
      $log s99999999 "$dir/log" <&3 & pid=$!
      until [ "$(${size})" -gt "$before" ]; do :; done
      kill -TERM "$pid"; wait "$pid"; echo "$?"; tail -c1 "$dir/log/current" | od -An -c
    done
    touch "$dir/enough"
    $log s99999999 "$dir/log"
  }`)
  expect(said).toEqual({ code: 0, stdout: '0\n  \\n\n'.repeat(3), stderr: '' })
  const numbers = lines(join(dir, 'log')).split('\n').slice(0, -1)
  expect(numbers.length).toBeGreaterThan(1000)
  expect(numbers.findIndex((text, i) => text !== `${i + 1}`)).toBe(-1)
})

const whyNotTheirs = whyMissing('s6-log')

describe('ours and s6’s own do the same', () => {
  const loggers = [['ours', LOG] as const, ...(whyNotTheirs === undefined ? [['s6’s own', ['s6-log']] as const] : [])]

  test.each(loggers)('%s: ALRM rotates at once and cuts no line', async (_, log) => {
    const logDir = join(dir, 'log')
    const child = spawn(log[0] ?? '', [...log.slice(1), '-d3', logDir], {
      stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
    })
    await once(child.stdio[3] as NodeJS.ReadableStream, 'data')
    const archives = () => readdirSync(logDir).filter((name) => /\.log$|\.[su]$/.test(name))
    child.stdin?.write('one\nhalf a ')
    await waitFor('the line', () => readFileSync(join(logDir, 'current'), 'utf8').startsWith('one\n'))
    child.kill('SIGALRM')
    await waitFor('an archive', () => archives().length === 1)
    child.stdin?.end('line\n')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(archives().map((name) => readFileSync(join(logDir, name), 'utf8'))).toEqual(['one\n'])
    expect(readFileSync(join(logDir, 'current'), 'utf8')).toBe('half a line\n')
  })

  test.each(loggers)('%s: n0 keeps no archive, however fast they come', async (_, log) => {
    const text = 'i=0; while [ $i -lt 400 ]; do i=$((i + 1)); printf "%0511d\\n" $i; done'
    expect(await sh(`{ ${text}; } | ${log.join(' ')} n0 s4096 "$dir/log"`)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readdirSync(join(dir, 'log')).filter((name) => /\.log$|\.[su]$/.test(name))).toEqual([])
    expect(readFileSync(join(dir, 'log/current'), 'utf8')).toMatch(/0400\n$/)
  })

  test.each(loggers)('%s: numbers have 32 bits', async (_, log) => {
    expect((await sh(`echo a | ${log.join(' ')} n4294967295 s0004294967295 "$dir/log"`)).code).toBe(0)
    expect((await sh(`echo a | ${log.join(' ')} n4294967296 "$dir/log"`)).code).toBe(100)
  })
})

test('a writer that never ends its line does not keep it, and -p does not mind TERM', async () => {
  const child = spawn(LOG[0] ?? '', [...LOG.slice(1), '-p', '-d3', join(dir, 'log')], {
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
  })
  const ready = once(child.stdio[3] as NodeJS.ReadableStream, 'data')
  expect(String(await ready)).toBe('\n')
  child.stdin?.write('half')
  await waitFor('it', () => existsSync(join(dir, 'log/current')) && lines(join(dir, 'log')) === 'half')
  child.kill('SIGTERM')
  child.stdin?.write(' a line')
  await waitFor('it', () => lines(join(dir, 'log')) === 'half a line')
  child.kill('SIGHUP')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(lines(join(dir, 'log'))).toBe('half a line\n')
})

test('a line without end goes on in pieces, so that files stay small', async () => {
  await sh(`head -c 3000000 /dev/zero | tr '\\0' x | $log n100 s400000 "$dir/log"`)
  const log = join(dir, 'log')
  for (const name of readdirSync(log)) expect(statSync(join(log, name)).size).toBeLessThan(400_000)
  expect(lines(log).replaceAll('\n+ ', '')).toBe(`${'x'.repeat(3_000_000)}\n`)
})

describe('a fault is reported in one line, with s6’s codes', () => {
  test('a script that says more than we know', async () => {
    const { code, stderr } = await sh('$log n5 "!gzip -9" "$dir/log" </dev/null')
    expect(code).toBe(100)
    expect(stderr).toMatch(/^s6-log: fatal: "!gzip -9" is not known here: .*apt-get install s6.*\n$/)
    expect(existsSync(join(dir, 'log'))).toBe(false)
  })

  test('a directory that it cannot make', async () => {
    const { code, stderr } = await sh('touch "$dir/file"; $log "$dir/file/log" </dev/null')
    expect(code).toBe(111)
    expect(stderr).toMatch(/^s6-log: fatal: cannot write in \S+ as uid \d+ \(make it, and give it to that user.*\n$/)
  })

  test('a directory that another logger writes in, s6’s own too', async () => {
    const loggers = [LOG, ...(whyNotTheirs === undefined ? [['s6-log']] : [])]
    for (const [n, first] of loggers.entries()) {
      const log = join(dir, `log${n}`)
      const child = spawn(first[0] ?? '', [...first.slice(1), log], { stdio: ['pipe', 'ignore', 'ignore'] })
      child.stdin.write('here\n')
      await waitFor(
        'the first',
        () => existsSync(join(log, 'current')) && readFileSync(join(log, 'current'), 'utf8') === 'here\n',
      )
      const { code, stderr } = await sh(`$log "$dir/log${n}" </dev/null`)
      expect(code).toBe(111)
      expect(stderr).toContain(`${log}: another logger writes there`)
      child.stdin.end()
      await once(child, 'exit')
    }
  })
})

test.skipIf(whyNotTheirs !== undefined)(
  named('the lines are those that s6’s own keeps, byte for byte, and it goes on with our directory', whyNotTheirs),
  async () => {
    const text = 'printf "a\\n\\n\\377 b\\n  c\\t\\n"; seq 1 5000'
    for (const [name, program] of [
      ['ours', '$log'],
      ['theirs', 's6-log'],
    ]) {
      const { code, stderr } = await sh(`{ ${text}; } | ${program} n1000 s4096 "$dir/${name}"`)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
    expect(lines(join(dir, 'ours'))).toBe(lines(join(dir, 'theirs')))
    expect((await sh(`echo more | s6-log n1000 "$dir/ours"; echo more | $log n1000 "$dir/theirs"`)).code).toBe(0)
    for (const name of ['ours', 'theirs']) expect(lines(join(dir, name))).toMatch(/\n5000\nmore\n$/)
  },
)
