import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  type GatewayState,
  gatewayStateOf,
  readDesired,
  wantsBootstrap,
  writeDesired,
  writeGatewayState,
} from '../../../src/profile/state/state.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyNoStrace } from '../../support/tools.ts'

const module = join(import.meta.dirname, '../../../src/profile/state/state.ts')
let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-state-')
})

const put = (name: string, content: string | object): void =>
  writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
const stateFile = (): Record<string, unknown> => JSON.parse(readFileSync(join(dir, 'gateway_state.json'), 'utf8'))
/** Writes what the supervisor writes at a transition. */
const observe = (gatewayState: GatewayState): void =>
  writeGatewayState(dir, 'coder', { updatedAtMs: 1, gatewayState, instance: '9f9f', clean: false })

describe('the desired state at boot', () => {
  test('a profile without state files is not started, and there is nothing to warn about', () => {
    expect(readDesired(dir)).toEqual({ wanted: null, priorState: null, priorExit: 'unknown', warnings: [] })
  })

  test('a missing directory sets no state', () => {
    expect(readDesired(join(dir, 'gone'))).toEqual({
      wanted: null,
      priorState: null,
      priorExit: 'unknown',
      warnings: [],
    })
  })

  const earlier = { pid: 7, start_time: 8, restarts: 0, instance: '1a2b', clean: true }
  /** Ways in which gateway_state.json can have come to be; `gateway_state` and perhaps `desired_state` are in it. */
  const written = {
    'by us': (keys: object) => {
      put('gateway_state.json', keys)
      observe((keys as { gateway_state: GatewayState }).gateway_state)
    },
    'by us, and a container stop after it': (keys: object) => {
      written['by us'](keys)
      writeGatewayState(dir, 'coder', { updatedAtMs: 2, clean: true })
    },
    'by us, and keys of others were added': (keys: object) => {
      written['by us'](keys)
      put('gateway_state.json', { ...stateFile(), kind: 'x' })
    },
    'by an earlier version': (keys: object) => put('gateway_state.json', { ...earlier, ...keys }),
    'by an earlier version, over a file of ours': (keys: object) => {
      written['by us']({ ...keys, gateway_state: 'running' })
      put('gateway_state.json', { ...stateFile(), ...earlier, ...keys })
    },
    'by somebody': (keys: object) => put('gateway_state.json', keys),
    'by somebody who kept our other keys': (keys: { gateway_state?: string; desired_state?: string }) => {
      // As we left it, it had the opposite.
      written['by us']({ gateway_state: keys.gateway_state === 'running' ? 'stopped' : 'running' })
      put('gateway_state.json', { ...stateFile(), ...keys })
    },
    'by somebody, and a container stop after it': (keys: object) => {
      put('gateway_state.json', { instance: 'mine', ...keys })
      writeGatewayState(dir, 'coder', { updatedAtMs: 2, clean: true })
    },
  }
  const states = ['running', 'stopped', undefined] as const
  const combinations = (Object.keys(written) as (keyof typeof written)[]).flatMap((how) =>
    states.flatMap((file) =>
      states.flatMap((key) => (['running', 'stopped'] as const).map((state) => ({ how, file, key, state }))),
    ),
  )

  test.each(combinations)('a JSON written $how: desired_state $file, in the JSON $key, gateway_state $state', (row) => {
    const { how, file, key, state } = row
    if (file !== undefined) put('desired_state', `${file}\n`)
    written[how]({ gateway_state: state, ...(key && { desired_state: key }) })
    const json = key ?? state
    const decides = how.startsWith('by somebody') ? json : (file ?? json)
    expect(readDesired(dir)).toMatchObject({ wanted: decides, priorState: decides, warnings: [] })
    // An operator's later word is not to meet the overruled one at the next boot.
    expect(readDesired(dir).overruled).toBe(file !== undefined && file !== decides ? true : undefined)
  })

  test('a JSON of another program without a state leaves the decision to desired_state', () => {
    put('desired_state', 'running\n')
    put('gateway_state.json', { kind: 'x' })
    expect(readDesired(dir)).toMatchObject({ wanted: 'running', priorState: 'running', warnings: [] })
    put('gateway_state.json', { gateway_state: 'dancing' })
    expect(readDesired(dir)).toMatchObject({ wanted: 'running', warnings: [expect.stringContaining('dancing')] })
  })

  test("the JSON's desired_state stands above its gateway_state", () => {
    put('gateway_state.json', { desired_state: 'stopped', gateway_state: 'running' })
    expect(readDesired(dir)).toMatchObject({ wanted: 'stopped', priorState: 'stopped', warnings: [] })
  })

  test.each([
    ['running', 'running'],
    ['draining', 'running'],
    ['degraded', 'running'],
    ['starting', 'stopped'],
    ['stopped', 'stopped'],
    ['startup_failed', 'stopped'],
  ])('a gateway last seen %s counts as %s', (gateway_state, wanted) => {
    put('gateway_state.json', { gateway_state })
    expect(readDesired(dir)).toMatchObject({ wanted, priorState: gateway_state, warnings: [] })
  })

  test('null stands for "not known", not for a mistake', () => {
    put('gateway_state.json', { desired_state: null, gateway_state: null })
    expect(readDesired(dir)).toMatchObject({ wanted: null, warnings: [] })
  })

  test.each([
    [true, 'clean'],
    [false, 'unclean'],
    ['yes', 'unknown'],
    [undefined, 'unknown'],
  ])('clean: %s means that the last exit was %s', (clean, priorExit) => {
    put('gateway_state.json', { gateway_state: 'running', clean })
    expect(readDesired(dir).priorExit).toBe(priorExit)
  })
})

describe('a file that cannot be understood says nothing, with a warning that names it', () => {
  test.each([
    ['empty', ''],
    ['cut short', '{"gateway_state": "runn'],
    ['not an object', '["running"]'],
    ['binary', '\0\x01\x02'],
    ['larger than a megabyte', `{"gateway_state": "running", "x": "${'y'.repeat(1_000_000)}"}`],
    ['in a state nobody knows', '{"gateway_state": "dancing"}'],
    ['of a wrong type', '{"gateway_state": {"toString": 1}}'],
  ])('gateway_state.json that is %s', (_what, content) => {
    put('gateway_state.json', content)
    const { wanted, priorState, warnings } = readDesired(dir)
    expect({ wanted, priorState }).toEqual({ wanted: null, priorState: null })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(join(dir, 'gateway_state.json'))
  })

  test.each([
    ['empty', ''],
    ['another word', 'maybe'],
    ['larger than a kilobyte', 'running'.repeat(1000)],
  ])('desired_state that is %s, so what was observed decides', (_what, content) => {
    put('desired_state', content)
    put('gateway_state.json', { gateway_state: 'draining' })
    const { wanted, priorState, warnings } = readDesired(dir)
    expect({ wanted, priorState }).toEqual({ wanted: 'running', priorState: 'draining' })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(join(dir, 'desired_state'))
  })

  test.each(['desired_state', 'gateway_state.json'])('a link under the name %s is not followed', (name) => {
    put('elsewhere', name === 'desired_state' ? 'running' : '{"gateway_state":"running"}')
    symlinkSync('elsewhere', join(dir, name))
    const { wanted, warnings } = readDesired(dir)
    expect(wanted).toBeNull()
    expect(warnings[0]).toContain('symbolic link')
  })

  // open(2) of a FIFO without a writer waits for one: if it did here, this test would not end.
  test.each(['desired_state', 'gateway_state.json'])('a FIFO under the name %s does not hold anything up', (name) => {
    execFileSync('mkfifo', [join(dir, name)])
    expect(readDesired(dir)).toMatchObject({ wanted: null, warnings: [expect.stringContaining('not a regular file')] })
  })

  test('a directory, and a socket', async () => {
    mkdirSync(join(dir, 'desired_state'))
    const server = createServer().listen(join(dir, 'gateway_state.json'))
    await new Promise((resolve) => server.once('listening', resolve))
    expect(readDesired(dir)).toMatchObject({
      wanted: null,
      warnings: [expect.stringContaining('not a regular file'), expect.stringContaining('not a regular file')],
    })
    server.close()
  })

  // Root may read everything, so the reader gives it up first.
  test('a file we may not read', () => {
    put('gateway_state.json', '{"gateway_state": "running"}')
    chmodSync(join(dir, 'gateway_state.json'), 0)
    chmodSync(dir, 0o755)
    const script = `import { readDesired } from ${JSON.stringify(module)}
      if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534) }
      console.log(JSON.stringify(readDesired(${JSON.stringify(dir)})))`
    const seen = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' })
    expect(JSON.parse(seen)).toMatchObject({ wanted: null, warnings: [expect.stringContaining('EACCES')] })
  })
})

describe("an operator's desired state", () => {
  test('is one line, readable by all, and nothing is left beside it', () => {
    writeDesired(dir, 'running')
    writeDesired(dir, 'stopped')
    expect(readFileSync(join(dir, 'desired_state'), 'utf8')).toBe('stopped\n')
    expect(statSync(join(dir, 'desired_state')).mode & 0o777).toBe(0o644)
    expect(readdirSync(dir)).toEqual(['desired_state'])
  })

  test('replaces a planted link and leaves its target alone', () => {
    put('victim', 'precious')
    symlinkSync('victim', join(dir, 'desired_state'))
    writeDesired(dir, 'running')
    expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('precious')
    expect(readDesired(dir).wanted).toBe('running')
  })

  test('a link planted under the name of the scratch file is replaced too', () => {
    put('victim', 'precious')
    symlinkSync('victim', join(dir, `.desired_state.${process.pid}`))
    writeDesired(dir, 'running')
    expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('precious')
  })

  test('that cannot be written is an error, and leaves what was', () => {
    mkdirSync(join(dir, 'desired_state'))
    expect(() => writeDesired(dir, 'running')).toThrow()
    expect(readdirSync(dir)).toEqual(['desired_state'])
    expect(() => writeDesired(join(dir, 'gone'), 'running')).toThrow(/ENOENT/)
  })

  const why = whyNoStrace()
  test.skipIf(why !== undefined)(named('is on the disk, file and directory, when writing it returns', why), () => {
    const script = `import { writeDesired } from ${JSON.stringify(module)}; writeDesired(${JSON.stringify(dir)}, 'running')`
    const trace = join(dir, 'trace')
    execFileSync('strace', [
      '-f',
      '-y',
      '-e',
      'trace=fsync,rename',
      '-o',
      trace,
      process.execPath,
      '--input-type=module-typescript',
      '-e',
      script,
    ])
    const calls = readFileSync(trace, 'utf8').match(/(fsync|rename)\([^)]*/g)
    expect(calls).toEqual([
      expect.stringMatching(/^fsync\(\d+<.*\/\.desired_state\./),
      expect.stringMatching(/^rename\(.*desired_state"$/),
      expect.stringMatching(new RegExp(`^fsync\\(\\d+<${dir}>$`)),
    ])
  })
})

describe('the observed state', () => {
  const atMs = Date.UTC(2026, 10, 22, 12, 15, 18, 810)

  test('holds what is known, and nothing that is not', () => {
    writeGatewayState(dir, 'coder', {
      updatedAtMs: atMs,
      gatewayState: 'running',
      pid: 312,
      startTime: 4711,
      restarts: 2,
      instance: '1a2b',
      clean: false,
    })
    expect(stateFile()).toEqual({
      gateway_state: 'running',
      pid: 312,
      start_time: 4711,
      restarts: 2,
      instance: '1a2b',
      clean: false,
      updated_at: '2026-11-22T12:15:18.810Z',
      profile: 'coder',
      profile_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      checksum: expect.stringMatching(/^1a2b:[0-9a-f]{8}$/),
    })
  })

  test('keeps what others wrote, also a key with a dangerous name', () => {
    put(
      'gateway_state.json',
      '{"kind": "x", "platforms": {"a": 1}, "__proto__": {"b": 2}, "pid": 1, "exit_reason": "old"}',
    )
    writeGatewayState(dir, 'coder', { updatedAtMs: atMs, gatewayState: 'stopped', pid: null, exitReason: null })
    expect(readFileSync(join(dir, 'gateway_state.json'), 'utf8')).toContain('"__proto__"')
    const { ['__proto__']: _, ...state } = stateFile()
    expect(state).toEqual({
      kind: 'x',
      platforms: { a: 1 },
      gateway_state: 'stopped',
      updated_at: '2026-11-22T12:15:18.810Z',
      profile: 'coder',
      profile_id: expect.any(String),
      checksum: expect.any(String),
    })
  })

  test('a container stop writes only how it ended: what ran runs again', () => {
    writeGatewayState(dir, 'coder', { updatedAtMs: atMs, gatewayState: 'running', clean: false })
    expect(readDesired(dir)).toMatchObject({ wanted: 'running', priorExit: 'unclean' })
    writeGatewayState(dir, 'coder', { updatedAtMs: atMs + 1000, clean: true })
    expect(readDesired(dir)).toMatchObject({ wanted: 'running', priorState: 'running', priorExit: 'clean' })
  })

  test.each(['not json', '[]', ''])('a file that holds %j is replaced', (content) => {
    put('gateway_state.json', content)
    writeGatewayState(dir, 'coder', { updatedAtMs: atMs, gatewayState: 'running' })
    expect(readDesired(dir)).toMatchObject({ wanted: 'running', warnings: [] })
  })

  test('a planted link is replaced, its target left alone', () => {
    put('victim', '{"precious": true}')
    symlinkSync('victim', join(dir, 'gateway_state.json'))
    writeGatewayState(dir, 'coder', { updatedAtMs: atMs, gatewayState: 'running' })
    expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('{"precious": true}')
    expect(stateFile()).not.toHaveProperty('precious')
  })

  test('every state of a slot has one that the next boot understands', () => {
    for (const state of Object.values(gatewayStateOf)) {
      put('gateway_state.json', { gateway_state: state })
      expect(readDesired(dir)).toMatchObject({ priorState: state, warnings: [] })
    }
  })
})

describe('HERMES_GATEWAY_BOOTSTRAP_STATE', () => {
  test('"running" starts the default gateway of a volume that never held one', () => {
    expect(wantsBootstrap('running', dir)).toEqual({ start: true })
  })

  test('whatever lies under the name gateway_state.json, readable or not, shows a volume that was used', () => {
    put('gateway_state.json', '')
    expect(wantsBootstrap('running', dir)).toEqual({ start: false })
    rmSync(join(dir, 'gateway_state.json'))
    symlinkSync('nowhere', join(dir, 'gateway_state.json'))
    expect(wantsBootstrap('running', dir)).toEqual({ start: false })
  })

  test.each(['Running', 'running ', 'true', '1', 'stopped'])(
    '%j is a mistake that is reported, not a desired state',
    (value) => {
      expect(wantsBootstrap(value, dir)).toEqual({
        start: false,
        warning: expect.stringContaining(JSON.stringify(value)),
      })
    },
  )

  test.each([undefined, ''])('%j does not set a desired state', (value) => {
    expect(wantsBootstrap(value, dir)).toEqual({ start: false })
  })
})
