import { once } from 'node:events'
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from 'vitest'
import { lastOf, lineFilter, lineText, parseCount, parseLevel, parseSince } from '../../src/cli/view/log-lines.ts'
import { hermes, startProgram } from '../support/cli.ts'
import { program } from '../support/install.ts'
import { quickScratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

const line = (text: string, slot = 'agent') => ({ slot, atMs: 0, text })

test('a filter keeps that level and worse, and the lines that belong to a kept one', () => {
  const lines = [
    line('INFO [a] x: 1'),
    { ...line('more of 1'), goesOn: true as const },
    line('ERROR [a] x: 2'),
    { ...line('more of 2'), goesOn: true as const },
    line('    at run'),
    line('plain'),
    line('WARN [b] x: 3'),
  ]
  const kept = (filter: Parameters<typeof lineFilter>[0]) => lines.filter(lineFilter(filter)).map(({ text }) => text)
  expect(kept({ level: 'warn' })).toEqual(['ERROR [a] x: 2', 'more of 2', '    at run', 'WARN [b] x: 3'])
  expect(kept({ session: 'a' })).toEqual(['INFO [a] x: 1', 'more of 1', 'ERROR [a] x: 2', 'more of 2', '    at run'])
  expect(kept({ level: 'error', session: 'b' })).toEqual([])
})

test('the lines of several logs do not mix: each goes on with its own', () => {
  const lines = [line('ERROR x', 'a'), line('INFO y', 'b'), line('    at run', 'a'), line('    more', 'b')]
  expect(lines.filter(lineFilter({ level: 'error' })).map(({ text }) => text)).toEqual(['ERROR x', '    at run'])
})

test('--since takes a duration or a time, --lines a number or all, --level a level', () => {
  expect(parseSince('1h', 10_000_000)).toBe(6_400_000)
  expect(parseSince('2026-11-22T12:00:00Z', 0)).toBe(Date.UTC(2026, 10, 22, 12))
  expect(() => parseSince('tomorrow', 0)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  expect([parseCount('7'), parseCount('all')]).toEqual([7, undefined])
  expect(() => parseCount('-1')).toThrow(expect.objectContaining({ code: 'USAGE' }))
  expect(['WARNING', 'err', 'Critical', 'trace'].map(parseLevel)).toEqual(['warn', 'error', 'fatal', 'trace'])
  expect(() => parseLevel('loud')).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('the name of the log stands in each line where there are several', () => {
  expect(lineText({ slot: 'a', at: 'T', atMs: 0, text: 'x' }, false)).toBe('T x\n')
  expect(lineText({ slot: 'a', at: 'T', atMs: 0, text: 'x' }, true)).toBe('T [a] x\n')
})

test.each([0, 1, 3, 5, 9])('the last %i of a sequence, in order', (count) => {
  const items = [1, 2, 3, 4, 5]
  expect(lastOf(items, count)).toEqual(count === 0 ? [] : items.slice(-count))
})

describe('hermes logs', () => {
  let home: string
  beforeEach(() => {
    home = quickScratchDir('hermes-cli-')
  })

  const at = (second: number): string => `2026-11-22T12:15:${String(second).padStart(2, '0')}.000Z`
  function write(profile: string, seconds: readonly number[], file = 'current'): string {
    const dir = join(home, 'logs', 'gateways', profile)
    mkdirSync(dir, { recursive: true })
    appendFileSync(join(dir, file), seconds.map((second) => `${at(second)} line ${second}\n`).join(''))
    return join(dir, file)
  }
  const out = async (line: string): Promise<string> => (await hermes(line.split(' '), { home })).stdout

  test('reads archives and current in order, by default the last 50 lines', async () => {
    write(
      'default',
      Array.from({ length: 40 }, (_, i) => i),
      '20261122T121540.000Z.log',
    )
    write(
      'default',
      Array.from({ length: 20 }, (_, i) => 40 + i),
    )
    const lines = (await out('logs')).trim().split('\n')
    expect(lines).toHaveLength(50)
    expect([lines[0], lines.at(-1)]).toEqual([`${at(10)} line 10`, `${at(59)} line 59`])
    expect((await out('logs -n all')).trim().split('\n')).toHaveLength(60)
    expect(await out('logs --lines 1')).toBe(`${at(59)} line 59\n`)
    expect(await out('logs --since 2026-11-22T12:15:58Z')).toBe(`${at(58)} line 58\n${at(59)} line 59\n`)
  })

  test('merges several profiles by time', async () => {
    await hermes(['profile', 'create', 'coder'], { home })
    write('default', [1, 3])
    write('coder', [2, 4])
    const merged = [
      `${at(1)} [default] line 1`,
      `${at(2)} [coder] line 2`,
      `${at(3)} [default] line 3`,
      `${at(4)} [coder] line 4`,
    ]
    expect(await out('logs default coder')).toBe(`${merged.join('\n')}\n`)
    expect(await out('logs --all')).toBe(`${merged.join('\n')}\n`)
    expect(JSON.parse(await out('logs --all --json'))[1]).toEqual({ log: 'coder', at: at(2), text: 'line 2' })
  })

  test('reads our own logs, by level and session', async () => {
    mkdirSync(join(home, 'logs'))
    writeFileSync(join(home, 'logs', 'agent.log'), `${at(1)} INFO [s1] api: one\n${at(2)} ERROR [s2] api: two\n`)
    writeFileSync(join(home, 'logs', 'supervisor.log'), `${at(1)} INFO started\n`)
    writeFileSync(join(home, 'logs', 'container-boot.log'), `${at(1)} profile=default\n`)
    expect(await out('logs agent --level error')).toBe(`${at(2)} ERROR [s2] api: two\n`)
    expect(await out('logs agent --session s1')).toBe(`${at(1)} INFO [s1] api: one\n`)
    expect(await out('logs supervisor')).toContain('INFO started')
    expect(await out('logs boot')).toContain('profile=default')
  })

  test('a bare argument names a kind of log, unless a profile has that name; --of always names the kind', async () => {
    const kinds = ['agent', 'errors', 'boot', 'supervisor']
    for (const kind of kinds) expect((await hermes(['profile', 'create', kind], { home })).code).toBe(0)
    for (const [second, kind] of kinds.entries()) write(kind, [second])
    writeFileSync(join(home, 'logs', 'supervisor.log'), `${at(1)} INFO started\n`)
    writeFileSync(join(home, 'logs', 'container-boot.log'), `${at(1)} profile=default\n`)
    for (const [second, kind] of kinds.entries())
      expect(await out(`logs ${kind}`)).toBe(`${at(second)} line ${second}\n`)
    expect(await out('logs --of supervisor')).toBe(`${at(1)} INFO started\n`)
    expect(await out('logs --of boot')).toBe(`${at(1)} profile=default\n`)
    expect((await hermes(['profile', 'delete', 'boot', '--yes'], { home })).code).toBe(0)
    expect(await out('logs boot')).toBe(`${at(1)} profile=default\n`)
  })

  test('alone shows the events of the built-in gateway, or what another program prints; each by name', async () => {
    await hermes(['profile', 'create', 'coder'], { home })
    const dir = join(home, 'profiles', 'coder')
    mkdirSync(join(dir, 'logs'))
    writeFileSync(join(dir, 'logs', 'agent.log'), `${at(1)} INFO [s] event\n`)
    writeFileSync(join(dir, 'logs', 'errors.log'), `${at(2)} ERROR [s] failure\n`)
    write('coder', [3])
    expect(await out('-p coder logs')).toBe(`${at(1)} INFO [s] event\n`)
    for (const line of ['-p coder logs current', '-p coder logs --of current', 'logs coder --of current', 'logs coder'])
      expect(await out(line)).toBe(`${at(3)} line 3\n`)
    for (const line of ['-p coder logs errors', '-p coder logs --of errors', 'logs coder --of errors'])
      expect(await out(line)).toBe(`${at(2)} ERROR [s] failure\n`)
    writeFileSync(join(dir, 'config.yaml'), 'gateway: {command: [sleep, "1"]}\n')
    expect(await out('-p coder logs')).toBe(`${at(3)} line 3\n`)
    expect(await out('-p coder logs agent')).toBe(`${at(1)} INFO [s] event\n`)
    expect(await hermes(['logs', 'coder', '--of', 'boot'], { home })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('next: hermes logs --of boot'),
    })
    expect((await hermes(['logs', '--of', 'nothing'], { home })).code).toBe(2)
  })

  test('of a log that is not there yet says so; of a deleted profile that left some reads them', async () => {
    expect(await hermes(['logs'], { home })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining('no lines in'),
    })
    write('gone', [1])
    expect(await out('logs gone')).toContain('line 1')
  })

  test('follows across a rotation, and from before the file is there', async () => {
    const child = startProgram([program('hermes'), 'logs', '-f'], { home })
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    try {
      // Written again and again until it is seen: the reader may not have begun to look.
      await waitFor('the first line', () => {
        write('default', [1])
        return text.includes('line 1\n')
      })
      const current = write('default', [2])
      await waitFor('the second', () => text.includes('line 2\n'))
      renameSync(current, join(current, '..', '20261122T121559.000Z.log'))
      write('default', [3])
      await waitFor('the line after the rotation', () => text.includes('line 3\n'))
      expect(text.match(/line 2\n/g)).toHaveLength(1)
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('following ends when its reader is gone, though the log is silent', async () => {
    write('default', [1])
    const child = startProgram([program('hermes'), 'logs', '-f'], { home })
    try {
      await once(child.stdout as Readable, 'data')
      child.stdout?.destroy()
      await waitFor('it to end', () => child.exitCode !== null)
      expect(child.exitCode).toBe(0)
    } finally {
      child.kill('SIGKILL')
    }
  })
})
