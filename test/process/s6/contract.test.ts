// The same operations on real s6-svscan service directories and on our slots, with Debian's tools and with ours: what
// they print and exit with must be the same four times. The table of differences lists every difference with its
// reason.
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, describe as group, test } from 'vitest'
import { writeHome } from '../../support/hermes.ts'
import { scratchDir } from '../../support/scratch.ts'
import { type Place, type Places, type Said, startPlaces } from '../../support/supervisor/s6-places.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

/** Every difference, and why. docs/s6.md has the same rows for people. */
const differences: readonly (readonly [what: string, s6: string, hermes: string, why: string])[] = [
  [
    'restart after a death',
    'at least one second after the previous start, unless it was ready for a second',
    'at once after the first death if it was ready, then after longer and longer pauses',
    'a gateway that worked is back at once; one that keeps dying does not overload the machine',
  ],
  [
    'exit 78 or 125 of the service itself',
    'started again',
    'parked, as after a finish script that exits with 125',
    'most programs have no finish script that could exit with 125 for them',
  ],
  [
    '`-r` for a service that ignores the signal',
    'the service keeps running',
    'killed after timeout-kill, then started',
    'a requested restart always happens',
  ],
  [
    '`-x`',
    'not supervised until s6-svscan has started another s6-supervise',
    'always supervised; the events `x` and `s` are still sent, and `./down` decides again',
    'one supervisor serves all slots and does not end for one of them',
  ],
  [
    '`-n` and `-N` of s6-svscanctl',
    'stop services whose directory was removed',
    'as `-a`: slots follow the profiles, and each scan finds removed profiles',
    'slots come from profiles, not from directories in the scan directory',
  ],
  [
    '`-t`, `-i` and `-q` of s6-svscanctl',
    'stop all services and end s6-svscan',
    'stop the container, as `docker stop` does',
    'here the container starts and ends with the scan directory',
  ],
  [
    '`-b` of s6-svscanctl',
    's6-svscan ends, services continue without it',
    'the supervisor ends, slots continue, init starts the next supervisor',
    'init keeps the slots',
  ],
]

const UP = 'true true true true false'
const FIELDS = 'up,wantedup,normallyup,ready,paused'
/** ms to wait for what does not come. Debian's tools subscribe within it, too. */
const LITTLE = '2000'
const DEADLINE = { deadlineMs: 60_000 }

const why = whyMissing('s6-svscan')
const describe = (name: string, body: () => void): void => {
  group.skipIf(why !== undefined)(named(name, why), body)
}

let places: Places
beforeAll(async () => {
  if (why !== undefined) return
  places = await startPlaces([
    { name: 'steady' },
    { name: 'other' },
    { name: 'quiet', down: true },
    { name: 'stubborn', stubborn: true, timeoutKillMs: 700 },
    { name: 'asked', downSignal: 'USR2' },
    { name: 'waits', restartDelay: '60s' },
    { name: 'finishes', finish: '#!/bin/sh\necho "$1 $2 $3" >args\nwhile [ -e hold ]; do sleep 0.02; done\n' },
    // Debian's s6-svlisten can lose what it reads in one go with d.
    { name: 'fails', finish: '#!/bin/sh\nsleep 1\nexit 125\n' },
    { name: 'quits', quits: true },
  ])
})
afterAll(() => places?.[Symbol.asyncDispose]())

const normal = (text: string): string =>
  text
    .replaceAll(/@[0-9a-f]{24}/g, '@STAMP')
    .replaceAll(/\b\d+ seconds/g, 'N seconds')
    .replaceAll(/pid \d+/g, 'pid P')

/** One run of a script of operations on one place: does, waits, and writes down what it saw. */
class Story {
  readonly place: Place
  readonly lines: string[] = []

  constructor(place: Place) {
    this.place = place
  }

  async does(tool: string, ...args: readonly string[]): Promise<Said> {
    const said = await this.place.run(tool, ...args)
    this.note(`${tool} ${args.join(' ')}: ${said.code} ${normal(said.out)}${said.err === '' ? '' : ' (and says so)'}`)
    return said
  }

  note(text: string): void {
    this.lines.push(text)
  }

  /** @param fields up, wanted up, normally up, ready, paused */
  async becomes(service: string, fields: string): Promise<void> {
    await waitFor(
      `${this.place.kind} ${service} to be ${fields}`,
      async () => {
        const { out } = await this.place.ask('s6-svstat', '-o', FIELDS, `@${service}`)
        if (out !== fields) throw new Error(out)
        return true
      },
      DEADLINE,
    )
    // Those fields are the same while the finish script runs, and s6 starts a process for it even if there is none.
    if (fields.startsWith('false')) await this.place.ask('s6-svwait', '-D', '-t', '60000', `@${service}`)
    await this.does('s6-svstat', `@${service}`)
    await this.does('s6-svstat', '-uwNrp', '-o', 'exitcode,signal,signum', `@${service}`)
  }

  async pid(service: string): Promise<string> {
    return (await this.place.ask('s6-svstat', '-p', `@${service}`)).out
  }

  /** Up, ready, and wanted so. */
  async begin(service: string): Promise<void> {
    await this.place.ask('s6-svc', '-wU', '-T', '60000', '-U', `@${service}`)
    await waitFor(
      'it to be up',
      async () => (await this.place.ask('s6-svstat', '-o', FIELDS, `@${service}`)).out === UP,
      DEADLINE,
    )
  }
}

type Script = (story: Story) => Promise<void>

/** The script's stories are the same in all four. */
async function same(script: Script): Promise<void> {
  const stories = places.all.map((place) => new Story(place))
  await Promise.all(stories.map(script))
  const [real, ...others] = stories
  if (real === undefined) throw new Error('there are no places')
  expect(real.lines.length).toBeGreaterThan(0)
  const withoutPids = ({ lines }: Story): string[] =>
    lines.map((line) => line.replaceAll(/(: 0 (?:true|false) .*?) \d+ (-?\d+ )/g, '$1 P $2'))
  for (const other of others)
    expect({ place: `${other.place.kind}, ${other.place.tools}`, lines: withoutPids(other) }).toEqual({
      place: `${other.place.kind}, ${other.place.tools}`,
      lines: withoutPids(real),
    })
}

describe('control commands', () => {
  test('d and u, D and U: down and up, the latter permanently', () =>
    same(async (story) => {
      await story.begin('steady')
      await story.becomes('steady', UP)
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
      await story.becomes('steady', 'false false true false false')
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@steady')
      await story.becomes('steady', UP)
      await story.does('s6-svc', '-wD', '-T', '60000', '-D', '@steady')
      await story.becomes('steady', 'false false false false false')
      story.note(`down is there: ${existsSync(join(story.place.dir('steady'), 'down'))}`)
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@steady')
      await story.becomes('steady', 'true true false true false')
      await story.does('s6-svc', '-U', '@steady')
      await story.becomes('steady', UP)
      story.note(`down is there: ${existsSync(join(story.place.dir('steady'), 'down'))}`)
    }))

  test('a service that is normally down says so, up and down', () =>
    same(async (story) => {
      await story.becomes('quiet', 'false false false false false')
      await story.does('s6-svdt', '@quiet')
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@quiet')
      await story.becomes('quiet', 'true true false true false')
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@quiet')
      await story.becomes('quiet', 'false false false false false')
    }))

  test('o runs it once, O leaves it running for the last time, Q permanently', () =>
    same(async (story) => {
      await story.begin('steady')
      await story.does('s6-svc', '-O', '@steady')
      await story.becomes('steady', 'true false true true false')
      await story.does('s6-svc', '-wD', '-T', '60000', '-1', '@steady')
      await story.becomes('steady', 'false false true false false')
      await story.does('s6-svc', '-wU', '-T', '60000', '-o', '@steady')
      await story.becomes('steady', 'true false true true false')
      await story.does('s6-svc', '-u', '@steady')
      await story.becomes('steady', UP)
      await story.does('s6-svc', '-Q', '@steady')
      await story.becomes('steady', 'true false false true false')
      await story.does('s6-svc', '-wD', '-T', '60000', '-2', '@steady')
      await story.becomes('steady', 'false false false false false')
      await story.does('s6-svc', '-O', '@steady')
      await story.becomes('steady', 'false false false false false')
    }))

  test('r starts it anew if it is wanted up, else it only ends it, and has no effect on a service that is down', () =>
    same(async (story) => {
      await story.begin('steady')
      const before = await story.pid('steady')
      await story.does('s6-svc', '-wR', '-T', '60000', '-r', '@steady')
      story.note(`another process: ${(await story.pid('steady')) !== before}`)
      await story.becomes('steady', UP)
      await story.does('s6-svc', '-O', '@steady')
      await story.becomes('steady', 'true false true true false')
      await story.does('s6-svc', '-wD', '-T', '60000', '-r', '@steady')
      await story.becomes('steady', 'false false true false false')
      await story.does('s6-svc', '-rt', '@steady')
      await story.does('s6-svc', '-wU', '-T', '60000', '-o', '@steady')
      await story.becomes('steady', 'true false true true false')
    }))

  test('p and c stop and continue; d ends what is stopped', () =>
    same(async (story) => {
      await story.begin('steady')
      await story.does('s6-svc', '-p', '@steady')
      await story.becomes('steady', 'true true true true true')
      await story.does('s6-svc', '-c', '@steady')
      await story.becomes('steady', UP)
      await story.does('s6-svc', '-p', '@steady')
      await story.becomes('steady', 'true true true true true')
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
      await story.becomes('steady', 'false false true false false')
    }))

  test.each([
    ['a', 'SIGALRM'],
    ['b', 'SIGABRT'],
    ['q', 'SIGQUIT'],
    ['h', 'SIGHUP'],
    ['k', 'SIGKILL'],
    ['t', 'SIGTERM'],
    ['i', 'SIGINT'],
    ['1', 'exitcode 7'],
    ['2', 'exitcode 0'],
  ])('%s is a signal: %s', (letter, how) =>
    same(async (story) => {
      await story.begin('other')
      await story.does('s6-svc', '-O', '@other')
      await story.does('s6-svc', '-wD', '-T', '60000', `-${letter}`, '@other')
      const said = await story.does('s6-svdt', '-n', '1', '@other')
      expect(said.out).toContain(how)
      await story.becomes('other', 'false false true false false')
      await story.does('s6-svdt', '-s', '-n', '1', '@other')
    }),
  )

  test('y is WINCH, which ends nothing; commands are obeyed in their order', () =>
    same(async (story) => {
      await story.begin('other')
      const before = await story.pid('other')
      await story.does('s6-svc', '-y', '@other')
      await story.does('s6-svc', '-Op', '@other')
      await story.becomes('other', 'true false true true true')
      story.note(`the same process: ${(await story.pid('other')) === before}`)
      // Only the last of them leads to what is waited for.
      await story.does('s6-svc', '-cuUQ', '@other')
      await story.becomes('other', 'true false false true false')
    }))

  test('a service that ignores the signal is killed after timeout-kill', () =>
    same(async (story) => {
      await story.begin('stubborn')
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@stubborn')
      await story.becomes('stubborn', 'false false true false false')
      await story.does('s6-svdt', '-n', '1', '@stubborn')
    }))

  test('down-signal takes the place of TERM, for d and r', () =>
    same(async (story) => {
      await story.begin('asked')
      await story.does('s6-svc', '-wR', '-T', '60000', '-r', '@asked')
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@asked')
      await story.becomes('asked', 'false false true false false')
      await story.does('s6-svdt', '-n', '2', '@asked')
    }))

  test('while it waits for its next start: r has no effect, d gives up, u starts at once', () =>
    same(async (story) => {
      await story.begin('waits')
      await untilItWaits(story)
      await story.becomes('waits', 'false true true false false')
      await story.does('s6-svc', '-rt', '@waits')
      await story.does('s6-svc', '-d', '@waits')
      await story.becomes('waits', 'false false true false false')
      chmodSync(join(story.place.dir('waits'), 'run'), 0o755)
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@waits')
      await story.becomes('waits', UP)
    }))

  test('a death by a real-time signal: its number for the finish script, no name for s6', () =>
    same(async (story) => {
      await story.begin('finishes')
      await story.does('s6-svc', '-O', '@finishes')
      // The supervisor hears of a command and of a death in two ways, in either order.
      await story.becomes('finishes', 'true false true true false')
      process.kill(Number(await story.pid('finishes')), 40)
      await story.does('s6-svwait', '-D', '-t', '60000', '@finishes')
      await story.becomes('finishes', 'false false true false false')
      await story.does('s6-svdt', '-n', '1', '@finishes')
      const [code, signal] = readFileSync(join(story.place.dir('finishes'), 'args'), 'utf8').split(' ')
      story.note(`finish was told ${code} ${signal}`)
      expect([code, signal]).toEqual(['256', '40'])
    }))

  test('while its finish script runs, commands only decide what comes then', () =>
    same(async (story) => {
      const hold = join(story.place.dir('finishes'), 'hold')
      await story.begin('finishes')
      writeFileSync(hold, '')
      await story.does('s6-svc', '-wd', '-T', '60000', '-t', '@finishes')
      // No program more than needed: our slots kill the script after 5 s.
      await story.does('s6-svstat', '-o', FIELDS, '@finishes')
      await story.does('s6-svc', '-tkr', '@finishes')
      await story.does('s6-svc', '-o', '@finishes')
      await story.does('s6-svwait', '-D', '-t', '1000', '@finishes')
      await story.does('s6-svstat', '-o', FIELDS, '@finishes')
      rmSync(hold)
      await story.does('s6-svwait', '-D', '-t', '60000', '@finishes')
      await story.becomes('finishes', 'false false true false false')
      const [code, signal, name] = readFileSync(join(story.place.dir('finishes'), 'args'), 'utf8')
        .trim()
        .split(' ')
      story.note(`finish was told ${code} ${signal}; its own name: ${story.place.dir('finishes').endsWith(`/${name}`)}`)
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@finishes')
      writeFileSync(hold, '')
      await story.does('s6-svc', '-wd', '-T', '60000', '-1', '@finishes')
      await story.does('s6-svc', '-du', '@finishes')
      rmSync(hold)
      await story.does('s6-svwait', '-U', '-t', '60000', '@finishes')
      await story.becomes('finishes', UP)
    }))

  test('a finish script that exits 125 brings it down permanently, and u brings it up again', () =>
    same(async (story) => {
      await story.begin('fails')
      await story.does('s6-svc', '-wD', '-T', '60000', '-1', '@fails')
      await story.becomes('fails', 'false false true false false')
      await story.does('s6-svwait', '-u', '-t', LITTLE, '@fails')
      await story.does('s6-svc', '-wU', '-T', '60000', '-u', '@fails')
      await story.becomes('fails', UP)
    }))

  test('x gives the service to another supervisor once it is dead: it is as it was at first', () =>
    same(async (story) => {
      await story.begin('other')
      await story.does('s6-svc', '-x', '@other')
      await story.becomes('other', UP)
      const before = await story.pid('other')
      await story.does('s6-svc', '-d', '@other')
      await waitFor('another process', async () => !['-1', '', before].includes(await story.pid('other')), DEADLINE)
      await waitFor(
        'it to be ready',
        async () => (await story.place.ask('s6-svwait', '-U', '-t', '60000', '@other')).code === 0,
        DEADLINE,
      )
      story.note((await story.place.ask('s6-svstat', '-o', FIELDS, '@other')).out)
      await story.does('s6-svc', '-wD', '-T', '60000', '-D', '@other')
      await story.does('s6-svc', '-x', '@other')
      await waitFor(
        'somebody to supervise it',
        async () => (await story.place.ask('s6-svok', '@other')).code === 0,
        DEADLINE,
      )
      await waitFor(
        'it to be down',
        async () => (await story.place.ask('s6-svstat', '-o', FIELDS, '@other')).out.startsWith('false false'),
        DEADLINE,
      )
    }))
})

/** Brings it to where it will be started again, but not yet. */
async function untilItWaits({ place }: Story): Promise<void> {
  const kill = (): Promise<Said> => place.ask('s6-svc', '-wD', '-T', '60000', '-k', '@waits')
  // s6 tries again after ten seconds what it cannot execute; ours has a delay that is long enough, after the second
  // death.
  if (place.kind === 's6') chmodSync(join(place.dir('waits'), 'run'), 0o644)
  else {
    await kill()
    await place.ask('s6-svwait', '-U', '-t', '60000', '@waits')
  }
  await kill()
}

describe('waiting', () => {
  const waits = (...options: readonly string[]) => ['s6-svwait', ...options, '-t', '60000']

  test('for up, ready, down and finished, through an end', () =>
    same(async (story) => {
      for (const option of ['-d', '-D', '-r', '-R']) {
        await story.begin('steady')
        await meanwhile(story, 'steady', [...waits(option), '@steady'], () =>
          story.place.ask('s6-svc', '-k', '@steady'),
        )
      }
      for (const option of ['-u', '-U']) {
        await story.place.ask('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
        await meanwhile(story, 'steady', [...waits(option), '@steady'], () =>
          story.place.ask('s6-svc', '-u', '@steady'),
        )
      }
    }))

  test('for a state that is reached already takes no time; for one that is never reached, no longer than its timeout', () =>
    same(async (story) => {
      await story.begin('steady')
      await story.does('s6-svwait', '-U', '@steady')
      await story.does('s6-svwait', '-u', '@steady')
      await story.does('s6-svwait', '@steady')
      for (const option of ['-d', '-D', '-r', '-R', '-du', '-ud'])
        await story.does('s6-svwait', option, '-t', LITTLE, '@steady')
      await story.does('s6-svc', '-wd', '-T', LITTLE, '-a0', '@steady')
      await story.does('s6-svc', '-wu', '@steady')
      await story.does('s6-svc', '-wU', '@steady')
      await story.does('s6-svc', '-wr', '-T', LITTLE, '@steady')
      await story.does('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
      for (const option of ['-u', '-U', '-r', '-R']) await story.does('s6-svwait', option, '-t', LITTLE, '@steady')
      await story.does('s6-svwait', '-d', '@steady')
      await story.does('s6-svwait', '-D', '@steady')
      await story.does('s6-svc', '-wu', '-T', LITTLE, '-d', '@steady')
      await story.does('s6-svc', '-wD', '-d', '@steady')
    }))

  test('of a command for its own effect: s6-svc -w', () =>
    same(async (story) => {
      await story.begin('steady')
      for (const args of ['-wd -d', '-wu -u', '-wD -d', '-wU -u', '-wr -r', '-wR -r', '-wr -k', '-wu -o', '-wD -t']) {
        await story.does('s6-svc', '-T', '60000', ...args.split(' '), '@steady')
        await story.place.ask(
          's6-svwait',
          args.includes('d') || args.includes('D') ? '-D' : '-U',
          '-t',
          '60000',
          '@steady',
        )
      }
    }))

  test('for all of several, or one of them', () =>
    same(async (story) => {
      await story.begin('steady')
      await story.begin('other')
      await story.place.ask('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
      const both = ['@steady', '@other']
      await story.does('s6-svwait', '-u', '-o', ...both)
      await story.does('s6-svwait', '-d', '-o', ...both)
      await story.does('s6-svwait', '-u', '-a', '-t', LITTLE, ...both)
      await story.does('s6-svwait', '-d', '-t', LITTLE, ...both)
      await meanwhile(story, 'other', [...waits('-d', '-a'), ...both], () => story.place.ask('s6-svc', '-d', '@other'))
      await meanwhile(story, 'steady', [...waits('-u', '-o'), ...both], () =>
        story.place.ask('s6-svc', '-u', '@steady'),
      )
    }))

  test('for a start that a permanent failure makes impossible', () =>
    same(async (story) => {
      const fails = (): Promise<Said> => story.place.ask('s6-svc', '-1', '@fails')
      const svc = (wait: string): readonly string[] => ['s6-svc', `-w${wait}`, '-T', '60000']
      for (const args of [
        ...['-r', '-R', '-d', '-D'].map((option) => waits(option)),
        ...['r', 'R', 'd', 'D'].map(svc),
      ]) {
        await story.begin('fails')
        await meanwhile(story, 'fails', [...args, '@fails'], fails)
        await story.place.ask('s6-svwait', '-D', '-t', '60000', '@fails')
      }
      await story.begin('steady')
      for (const option of ['-o', '-a']) {
        await story.place.ask('s6-svc', '-wD', '-T', '60000', '-d', '@steady')
        await story.begin('fails')
        // One of all of them is never up again: only the time ends that.
        const timeoutMs = option === '-o' ? '60000' : '4000'
        await meanwhile(story, 'fails', ['s6-svwait', '-r', option, '-t', timeoutMs, '@fails', '@steady'], fails)
        await story.place.ask('s6-svwait', '-D', '-t', '60000', '@fails')
      }
      await story.begin('fails')
      await story.does('s6-svc', '-wr', '-T', LITTLE, '-1', '@fails')
    }))

  test('for a service whose supervisor goes', () =>
    same(async (story) => {
      await story.begin('other')
      await story.place.ask('s6-svc', '-wD', '-T', '60000', '-d', '@other')
      await meanwhile(story, 'other', [...waits('-u'), '@other'], () => story.place.ask('s6-svc', '-x', '@other'))
      await waitFor('it to be back', async () => (await story.place.ask('s6-svok', '@other')).code === 0, DEADLINE)
      await story.begin('other')
    }))
})

describe('invalid arguments', () => {
  test('in the options, or in the place', () =>
    same(async (story) => {
      await story.begin('steady')
      for (const tool of ['s6-svc', 's6-svstat', 's6-svok', 's6-svwait', 's6-svdt', 's6-svscanctl']) {
        await story.does(tool)
        await story.does(tool, '-Z', '@steady')
        await story.does(tool, '/etc/passwd')
        await story.does(tool, '--', '@nothing')
        if (tool !== 's6-svwait' && tool !== 's6-svscanctl') await story.does(tool, '@steady', '@nothing')
      }
      await story.does('s6-svc', '-wX', '@steady')
      await story.does('s6-svc', '-w', '@steady')
      await story.does('s6-svc', '-T', 'soon', '-wu', '@steady')
      await story.does('s6-svc', '-u', '@nothing')
      await story.does('s6-svc', '-wu', '-u', '@nothing')
      await story.does('s6-svwait', '-t', 'soon', '@steady')
      await story.does('s6-svwait', '-u', '-t', LITTLE, '@steady', '@nothing')
      await story.does('s6-svstat', '-o', 'up,foo', '@steady')
      await story.does('s6-svstat', '-o', 'up,,pid', '@steady')
      for (const list of ['', ',', 'up,ready,', ',up', 'up,ready,,'])
        await story.does('s6-svstat', '-o', list, '@steady')
      await story.does('s6-svstat', '-n', '-o', 'updownsince,readysince', '@steady')
      await story.does('s6-svdt', '-n', 'x', '@steady')
      await story.does('s6-svdt', '-n', '0', '@steady')
      await story.does('s6-svscanctl', '-z', '@')
      await story.does('s6-svscanctl', '-a', '@', '@nothing')
      await story.does('s6-svscanctl', '@')
    }))
})

describe('a directory that is not supervised', () => {
  test('is recognized by the exit code, whatever it contains', async () => {
    const dir = scratchDir('s6-plain-')
    for (const name of ['plain', 'empty/supervise', 'empty/.s6-svscan', 'left/supervise', 'left/.s6-svscan'])
      mkdirSync(join(dir, name), { recursive: true })
    for (const name of ['left/supervise/control', 'left/.s6-svscan/control']) execFileSync('mkfifo', [join(dir, name)])
    await same(async (story) => {
      for (const name of ['nothing', 'plain', 'empty', 'left']) {
        for (const args of ['s6-svc', 's6-svc -u', 's6-svc -wu -T 500', 's6-svc -wu -T 500 -u', 's6-svok', 's6-svstat'])
          await story.does(...(args.split(' ') as [string]), join(dir, name))
        for (const args of ['s6-svwait -u -t 500', 's6-svscanctl', 's6-svscanctl -a'])
          await story.does(...(args.split(' ') as [string]), join(dir, name))
      }
    })
  })
})

describe('events', () => {
  test('come in the same order', () =>
    same(async (story) => {
      await story.begin('finishes')
      const heard = listen(story.place, 'finishes')
      try {
        await story.place.ask('s6-svc', '-wR', '-T', '60000', '-r', '@finishes')
        await story.place.ask('s6-svc', '-wD', '-T', '60000', '-d', '@finishes')
        await story.place.ask('s6-svc', '-wU', '-T', '60000', '-u', '@finishes')
        await story.place.ask('s6-svc', '-wD', '-T', '60000', '-O1', '@finishes')
        await story.place.ask('s6-svc', '-wU', '-T', '60000', '-u', '@finishes')
        await waitFor('all of them', () => heard.events().length >= 12, DEADLINE)
        story.note(heard.events())
      } finally {
        heard.close()
      }
      await story.begin('fails')
      const failing = listen(story.place, 'fails')
      try {
        await story.place.ask('s6-svc', '-wD', '-T', '60000', '-1', '@fails')
        await waitFor('D', () => failing.events().endsWith('D'), DEADLINE)
        story.note(failing.events())
      } finally {
        failing.close()
      }
    }))

  test('reach twenty at once, of both kinds', () =>
    same(async (story) => {
      await story.begin('steady')
      const waiting = Array.from({ length: 20 }, (_, n) =>
        n % 2 === 0
          ? story.place.start('s6-svwait', '-d', '-t', '60000', '@steady').said
          : story.place.ask('s6-svlisten1', '-d', '-t', '60000', '@steady', 'true'),
      )
      await waitFor('twenty to listen', () => subscribers(story.place, 'steady') >= 20, DEADLINE)
      await story.place.ask('s6-svc', '-d', '@steady')
      for (const { code } of await Promise.all(waiting)) story.note(`${code}`)
      await waitFor('them to be gone', () => subscribers(story.place, 'steady') === 0, DEADLINE)
    }))

  test('remove killed listeners, and skip those that do not read', () =>
    same(async (story) => {
      await story.begin('steady')
      const dead = Array.from({ length: 5 }, () => story.place.start('s6-svwait', '-d', '-t', '60000', '@steady'))
      const full = listen(story.place, 'steady', 'full')
      try {
        await waitFor('them to listen', () => subscribers(story.place, 'steady') >= 6, DEADLINE)
        for (const { process } of dead) process.kill('SIGKILL')
        await Promise.all(dead.map(({ said }) => said))
        // Debian's have a helper that reads for them, and that is gone a moment after them.
        await story.does('s6-svc', '-wR', '-T', '60000', '-r', '@steady')
        await waitFor(
          'the dead to be cleared away',
          async () => {
            await story.place.ask('s6-svc', '-wR', '-T', '60000', '-r', '@steady')
            return subscribers(story.place, 'steady') === 1
          },
          DEADLINE,
        )
      } finally {
        full.close()
      }
    }))
})

describe('rights', () => {
  test.each(['-u', '-g', '-o', '-O', '-E'])('s6-svperms %s sets them, and they stay', (option) =>
    same(async (story) => {
      await story.begin('steady')
      const args = option === '-u' || option === '-o' ? [option] : [option, 'daemon']
      story.note(`${(await story.place.ask('s6-svperms', ...args, '@steady')).code}`)
      await story.place.ask('s6-svc', '-wR', '-T', '60000', '-r', '@steady')
      const { out } = await story.place.ask('s6-svperms', '-v', '@steady')
      story.note(out.replaceAll(/^.* (status|control|events):/gm, '$1:'))
      for (const name of ['supervise', 'supervise/control', 'supervise/status', 'supervise/lock', 'event']) {
        const { mode, gid } = statSync(join(story.place.dir('steady'), name))
        story.note(`${name} ${(mode & 0o7777).toString(8)} ${gid}`)
      }
      await story.place.ask('s6-svperms', '-u', '-e', '@steady')
    }),
  )
})

describe('the differences', () => {
  const ours = (): Place => places.all.find(({ kind, tools }) => kind === 'hermes' && tools === 'ours') as Place
  const becomes = (service: string, fields: string): Promise<true> =>
    waitFor(
      `${service} to be ${fields}`,
      async () => (await ours().ask('s6-svstat', '-o', FIELDS, `@${service}`)).out === fields || undefined,
      DEADLINE,
    ).then(() => true)

  test('is in the documentation, with the same text', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/s6.md'), 'utf8')
    for (const row of differences) expect(page).toContain(`| ${row.join(' | ')} |`)
  })

  test('a service that exits with 125 is down permanently, also for a client that waits for its restart', async () => {
    for (const tools of ['debian', 'ours']) {
      const place = places.all.find((one) => one.kind === 'hermes' && one.tools === tools) as Place
      const story = new Story(place)
      await story.begin('quits')
      await meanwhile(story, 'quits', ['s6-svwait', '-r', '-t', '60000', '@quits'], () =>
        place.ask('s6-svc', '-h', '@quits'),
      )
      expect(story.lines).toEqual(['s6-svwait -r -t 60000 @quits: 1  (and says so)'])
      await story.becomes('quits', 'false false true false false')
    }
  })

  test('-r gets past what ignores its signal', async () => {
    const story = new Story(ours())
    await story.begin('stubborn')
    const before = await story.pid('stubborn')
    expect((await ours().run('s6-svc', '-wR', '-T', '60000', '-r', '@stubborn')).code).toBe(0)
    expect(await story.pid('stubborn')).not.toBe(before)
  })

  test('l P C K are commands of later versions, and ours knows them', async () => {
    const story = new Story(ours())
    await story.begin('other')
    for (const [letter, fields] of [
      ['P', 'true true true true true'],
      ['C', UP],
    ] as const) {
      expect((await ours().run('s6-svc', `-${letter}`, '@other')).code).toBe(0)
      await becomes('other', fields)
    }
    for (const [letter, how] of [
      ['l', 'SIGHUP'],
      ['K', 'SIGKILL'],
    ] as const) {
      await story.begin('other')
      await ours().ask('s6-svc', '-O', '@other')
      expect((await ours().run('s6-svc', '-wD', '-T', '60000', `-${letter}`, '@other')).code).toBe(0)
      expect((await ours().ask('s6-svdt', '-n', '1', '@other')).out).toContain(how)
    }
  })

  test('-x leaves no service without a supervisor', async () => {
    const story = new Story(ours())
    await story.begin('other')
    await ours().ask('s6-svc', '-wD', '-T', '60000', '-d', '@other')
    const heard = listen(ours(), 'other')
    try {
      await ours().ask('s6-svc', '-x', '@other')
      expect((await ours().ask('s6-svok', '@other')).code).toBe(0)
      await waitFor('the events', () => heard.events() === 'xsuU', DEADLINE)
    } finally {
      heard.close()
    }
  })

  test('a million random bytes change nothing but what the commands say, and block no client', {
    timeout: 600_000,
  }, async () => {
    const { hermes } = places
    const place = ours()
    const story = new Story(place)
    await story.begin('steady')
    await story.begin('other')
    const other = await story.pid('other')
    const supervisor = await hermes.supervisorPid()
    const look = (): string[] =>
      ['', 'supervise', 'event'].flatMap((name) => {
        const dir = join(place.dir('steady'), name)
        return readdirSync(dir).map((file) => `${name}/${file} ${statSync(join(dir, file)).mode.toString(8)}`)
      })
    const before = look()
    const bytes = join(hermes.home, 'flood')
    writeFileSync(bytes, randomBytes(1_000_000))
    const flood = spawn('sh', [
      '-c',
      'exec cat "$1" >"$2"',
      'sh',
      bytes,
      join(place.dir('steady'), 'supervise/control'),
    ])
    const flooded = new Promise((resolve) => flood.once('exit', resolve))
    const latencies: number[] = []
    let rounds = 0
    while (flood.exitCode === null) {
      const fromMs = performance.now()
      expect(await hermes.supervisorPid()).toBe(supervisor)
      latencies.push(performance.now() - fromMs)
      if (rounds++ % 100 === 0) expect((await place.ask('s6-svc', '-wd', '-T', '30000', '-k', '@other')).code).toBe(0)
    }
    expect(await flooded).toBe(0)
    expect(latencies.length).toBeGreaterThan(10)
    // On a machine that is busy with other things, too: what would hold it up is a flood obeyed in one go, which takes
    // minutes.
    expect(Math.max(...latencies)).toBeLessThan(stretchedMs(5_000))
    // The commands read from it are obeyed before this one, and then nothing happens any more. `D`, not `d`: an `x` of
    // the flood that waits for the next death starts anew what is normally up.
    await place.ask('s6-svc', '-cD', '@steady')
    const status = join(place.dir('steady'), 'supervise/status')
    await waitFor(
      'the last event',
      async () => {
        const { out } = await place.ask('s6-svstat', '-o', FIELDS, '@steady')
        const quietMs = Date.now() - statSync(status).mtimeMs
        if (out === 'false false false false false' && quietMs > 3_000) return true
        throw new Error(`"${out}" for ${quietMs} ms`)
      },
      { deadlineMs: 180_000 },
    )
    await story.begin('steady')
    expect(look()).toEqual(before)
    expect(await hermes.supervisorPid()).toBe(supervisor)
    expect(other).not.toBe(await story.pid('other'))
    const slots = (await hermes.status()).slots.filter(({ slot }) => !/steady-ours|other-ours/.test(slot))
    expect(slots.every(({ state }) => state === 'up' || state === 'down' || state === 'parked')).toBe(true)
  })

  test('s6-svscanctl: -a finds a new profile, -z changes nothing, -b ends the supervisor alone, -t stops everything', async () => {
    const { hermes } = places
    for (const place of places.all.filter(({ kind }) => kind === 'hermes')) {
      const name = `new-${place.tools}`
      writeHome(hermes.home, [{ name, gateway: { command: ['sleep', '1000'] } }])
      expect((await place.run('s6-svscanctl', '-a', '@')).code).toBe(0)
      // A profile that appears while the container runs is down, whatever its files say.
      await waitFor('the slot', async () => (await hermes.slot(`gateway-${name}`))?.state === 'down', DEADLINE)
      expect((await place.run('s6-svc', '-u', join(hermes.runDir, 'service', `gateway-${name}`))).code).toBe(0)
      await waitFor('the gateway', async () => (await hermes.slot(`gateway-${name}`))?.state === 'up', DEADLINE)
      const supervisor = await hermes.supervisorPid()
      const before = (await hermes.slot(`gateway-${name}`))?.pid
      expect((await place.run('s6-svscanctl', '-z', '@')).code).toBe(0)
      expect((await place.run('s6-svscanctl', '-hnN', '@')).code).toBe(0)
      expect(await hermes.supervisorPid()).toBe(supervisor)
      expect((await place.run('s6-svscanctl', '-b', '@')).code).toBe(0)
      await waitFor('another supervisor', async () => (await hermes.supervisorPid()) !== supervisor, DEADLINE)
      await waitFor('its slots', async () => (await hermes.slot(`gateway-${name}`))?.pid === before, DEADLINE)
    }
    const scan = join(hermes.runDir, 'service', '.s6-svscan')
    expect(
      [scan, join(scan, 'control'), join(scan, 'lock')].map((path) => (statSync(path).mode & 0o777).toString(8)),
    ).toEqual(['700', '600', '600'])
    const story = new Story(ours())
    await story.begin('steady')
    await meanwhile(story, 'steady', ['s6-svwait', '-r', '-t', '60000', '@steady'], () =>
      ours().run('s6-svscanctl', '-t', '@'),
    )
    // The end of a life, and then of its supervision, as s6-svwait hears it of s6-svscan.
    expect(story.lines).toEqual(['s6-svwait -r -t 60000 @steady: 1  (and says so)'])
    expect(await hermes.exit()).toBe(0)
    expect((await ours().run('s6-svok', '@steady')).code).toBe(1)
    expect((await ours().run('s6-svc', '-u', '@steady')).code).toBe(100)
  })
})

/** A command that waits, and something done once it listens. */
async function meanwhile(
  story: Story,
  service: string,
  args: readonly string[],
  act: () => Promise<unknown>,
): Promise<void> {
  const [tool = '', ...rest] = args
  const before = subscribers(story.place, service)
  const waiting = story.place.start(tool, ...rest)
  await waitFor('it to listen', () => subscribers(story.place, service) > before, DEADLINE)
  await act()
  const said = await waiting.said
  story.note(`${args.join(' ')}: ${said.code} ${said.out}${said.err === '' ? '' : ' (and says so)'}`)
}

const subscribers = (place: Place, service: string): number =>
  readdirSync(join(place.dir(service), 'event')).filter((name) => name.startsWith('ftrig1:')).length

/** A subscriber of the test's own. `full`: it never reads, and its FIFO is full. */
function listen(place: Place, service: string, full?: 'full'): { events(): string; close(): void } {
  const path = join(
    place.dir(service),
    'event',
    `ftrig1:@${'0'.repeat(24)}:${Math.random().toString(36).slice(2, 8).padEnd(6, '_')}`,
  )
  // Under a name that no notifier looks at: one that is not open yet would be taken for a dead listener's.
  const scratch = join(dirname(path), `.${basename(path)}`)
  execFileSync('mkfifo', ['-m', '622', scratch])
  const fd = openSync(scratch, constants.O_RDWR | constants.O_NONBLOCK)
  renameSync(scratch, path)
  let heard = ''
  const take = (): void => {
    const buffer = Buffer.alloc(4096)
    try {
      heard += buffer.toString('latin1', 0, readSync(fd, buffer))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
  if (full !== undefined) {
    // A write of a page leaves no room for another byte only when the pipe is full.
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
  return {
    events() {
      take()
      return heard
    },
    close() {
      closeSync(fd)
      rmSync(path, { force: true })
    },
  }
}
