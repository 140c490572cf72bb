import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { AgentError, answerText, type Message } from '../../src/gateway/agent/agent.ts'
import { commandAgent, MAX_OUTPUT_BYTES } from '../../src/gateway/agent/command.ts'
import { programNative } from '../../src/gateway/agent/pipes.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { tellsEnds } from '../support/container/kernel.ts'
import { scratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-agent-')
})

const agent = (
  argv: readonly string[],
  { silenceMs = 20_000, cwd = dir, path = process.env.PATH, clock = systemClock() as Clock } = {},
) =>
  commandAgent({
    argv,
    cwd,
    environment: { PATH: path, FROM_ENV: 'seen' },
    clock,
    silenceMs,
  })
const sh = (script: string) => ['sh', '-c', script]
const says = (text: string): readonly Message[] => [{ role: 'user', content: text }]
const ask = (argv: readonly string[], text = 'hi', options = {}) =>
  answerText(agent(argv, options), { messages: says(text) })
const failure = async (answer: Promise<unknown>): Promise<AgentError> => {
  const error = await answer.then(
    (text) => new Error(`it answered ${JSON.stringify(text)}`),
    (error: unknown) => error,
  )
  if (error instanceof AgentError) return error
  throw error
}

test('the prompt comes on stdin, the answer is what the program writes, without its last newline', async () => {
  expect(await ask(['cat'], 'What is up?\nSecond line')).toBe('What is up?\nSecond line')
  expect(await ask(sh('cat; echo; echo; echo end; echo'), 'a')).toBe('a\n\nend')
})

test('{prompt} puts it into an argument, whatever characters it has', async () => {
  expect(await ask(['printf', '%s|%s', '{prompt}', 'to: {prompt}'], "$(id) 'x' $& {prompt}")).toBe(
    "$(id) 'x' $& {prompt}|to: $(id) 'x' $& {prompt}",
  )
  expect(await ask(sh('cat; echo done'), 'not read {prompt}')).toContain('done')
})

test('the program runs in the profile directory, with its environment and the session', async () => {
  const text = await answerText(agent(sh('pwd; echo "$FROM_ENV $HERMES_SESSION"')), {
    messages: says('x'),
    session: 'morning',
  })
  expect(text).toBe(`${dir}\nseen morning`)
})

test('a conversation becomes a transcript', async () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'My name is Ada.' },
    { role: 'assistant', content: 'Hello Ada.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is ' },
        { type: 'text', text: 'my name?' },
      ],
    },
  ]
  expect(await answerText(agent(['cat']), { messages })).toBe(
    'System: Be brief.\n\nUser: My name is Ada.\n\nAssistant: Hello Ada.\n\nUser: What is my name?',
  )
})

test('pieces are given while a slow program still works', async () => {
  const go = join(dir, 'go')
  const pieces = agent(sh(`echo first; until [ -e '${go}' ]; do sleep 0.02; done; echo second`)).answer({
    messages: says('x'),
  })
  expect((await pieces.next()).value).toBe('first')
  writeFileSync(go, '')
  expect((await pieces.next()).value).toBe('\nsecond')
  expect((await pieces.next()).done).toBe(true)
})

test('a character that is cut by a chunk border arrives whole', async () => {
  const go = join(dir, 'go')
  const script = `printf 'a\\303'; until [ -e '${go}' ]; do sleep 0.02; done; printf '\\244b'`
  const pieces = agent(sh(script)).answer({ messages: says('x') })
  expect((await pieces.next()).value).toBe('a')
  writeFileSync(go, '')
  expect((await pieces.next()).value).toBe('äb')
  expect((await pieces.next()).done).toBe(true)
})

test('with real pipes the program may open /dev/stdin and /dev/stdout by name, and everything else is the same', async () => {
  const native = programNative()
  const withPipes = (argv: readonly string[]) =>
    commandAgent({
      argv,
      cwd: dir,
      environment: { PATH: process.env.PATH },
      clock: systemClock(),
      silenceMs: 20_000,
      native: () => native,
    })
  const answer = (script: string, content = 'hi') => answerText(withPipes(sh(script)), { messages: says(content) })
  expect(await answer('cat /dev/stdin > /dev/stdout; echo x > /dev/stderr')).toBe('hi')
  expect(await answer('wc -c', 'x'.repeat(3_000_000))).toBe('3000000')
  expect(await answer('exec <&-; echo unread', 'x'.repeat(3_000_000))).toBe('unread')
  const killed = (signal: string) => ({
    failure: 'failed',
    message: expect.stringContaining(`was killed by ${signal}`),
  })
  expect(await failure(answer('kill -KILL $$'))).toMatchObject(killed('SIGKILL'))
  if (tellsEnds) expect(await failure(answer('echo half; kill -37 $$'))).toMatchObject(killed('SIGRTMIN+3'))
  expect(await failure(answerText(withPipes(['no-such-program']), { messages: says('x') }))).toMatchObject({
    failure: 'misconfigured',
  })
  const before = readdirSync('/proc/self/fd').length
  for (let n = 0; n < 50; n++) await answer('echo x')
  await waitFor('the descriptors to be closed', () => readdirSync('/proc/self/fd').length <= before + 3)
})

test('its stderr is not part of the answer, however much it writes', async () => {
  expect(await ask(sh('yes noise | head -c 3000000 >&2; echo fine; yes noise | head -c 3000000 >&2'))).toBe('fine')
})

test('a program that fails is an error with its code and the end of its output', async () => {
  const error = await failure(ask(sh('yes early | head -c 100000 >&2; echo "no such model" >&2; exit 3')))
  expect(error.failure).toBe('failed')
  expect(error.message).toMatch(/program sh exited with code 3; its output: [\s\S]*no such model$/)
  expect(error.message.length).toBeLessThan(2200)
})

test('a program that is killed is an error with the signal', async () => {
  expect((await failure(ask(sh('kill -SEGV $$')))).message).toBe("the agent's program sh was killed by SIGSEGV")
})

test('a program that ends well without an answer is an error', async () => {
  expect(await failure(ask(['true']))).toMatchObject({ failure: 'empty' })
  expect(await failure(ask(sh('echo; echo "  "')))).toMatchObject({ failure: 'empty' })
})

test('a program that is missing, or not executable, is an error that names agent.command', async () => {
  const missing = await failure(ask(['no-such-program', '{prompt}']))
  expect(missing.failure).toBe('misconfigured')
  expect(missing.message).toContain('no-such-program cannot be started: no such program on PATH')
  expect(missing.next).toContain('agent.command')
  const file = join(dir, 'plain')
  writeFileSync(file, 'no program', { mode: 0o644 })
  expect((await failure(ask([file]))).message).toContain('is not executable')
})

test('a directory on PATH that may not be searched does not make a missing program one that is not executable', async () => {
  const closed = join(dir, 'closed')
  mkdirSync(closed, { mode: 0o600 })
  expect((await failure(ask(['no-such-program'], 'hi', { path: `${closed}:/usr/bin` }))).message).toContain(
    'no such program on PATH',
  )
  mkdirSync(join(dir, 'bin', 'a-directory'), { recursive: true })
  expect((await failure(ask(['a-directory'], 'hi', { path: join(dir, 'bin') }))).message).toContain('not executable')
})

test('a prompt that no argument can hold is refused with the way out', async () => {
  const long = await failure(ask(['echo', '{prompt}'], 'x'.repeat(200_000)))
  expect(long.failure).toBe('bad-question')
  expect(long.next).toContain('stdin')
  expect(await ask(['wc', '-c'], 'x'.repeat(200_000))).toBe('200000')
  expect(await failure(ask(['echo', '{prompt}'], 'a\0b'))).toMatchObject({ failure: 'bad-question' })
})

test('an answer without end is cut off and its program stopped', async () => {
  const error = await failure(ask(sh(`echo $$ > '${dir}/pid'; exec yes`)))
  expect(error.failure).toBe('too-long')
  expect(error.message).toContain(String(MAX_OUTPUT_BYTES))
  await waitFor('the program to be gone', () => !alive(dir))
})

test('a program that says nothing is stopped after the silence allowed', async () => {
  const error = await failure(ask(sh(`echo $$ > '${dir}/pid'; echo early; exec sleep 600`), 'hi', { silenceMs: 3000 }))
  expect(error).toMatchObject({ failure: 'silent', code: 'TIMED_OUT' })
  expect(alive(dir)).toBe(false)
})

test('giving up ends the program and what it started, also when it ignores TERM', async () => {
  const giveUp = new AbortController()
  const script = `trap '' TERM; echo $$ > '${dir}/pid'; sleep 600 & echo $! > '${dir}/child'; echo begun; wait; sleep 600`
  const pieces = agent(sh(script)).answer({ messages: says('x'), signal: giveUp.signal })
  expect((await pieces.next()).value).toBe('begun')
  giveUp.abort()
  expect(await failure(pieces.next())).toMatchObject({ failure: 'cancelled' })
  expect(alive(dir)).toBe(false)
  await waitFor('its child to be gone', () => !alive(dir, 'child'))
})

test('a background process that keeps stdout open does not hold up the answer', async () => {
  const script = `sleep 600 & echo $! > '${dir}/pid'; echo answer`
  expect(await ask(sh(script), 'hi', { silenceMs: 600_000 })).toBe('answer')
  process.kill(pidIn(dir), 'SIGKILL')
})

/**
 * Lets the program's background process write in the moment in which the program has ended, and keeps this process from
 * reading until the time for that is over.
 */
const busyAtItsEnd = (): Clock => {
  const clock = systemClock()
  const silenceMs = 20_000
  return {
    ...clock,
    at(atMs, wake, options) {
      if (atMs - clock.nowMs() < silenceMs / 2)
        setImmediate(() => {
          writeFileSync(join(dir, 'go'), '')
          const sleeper = new Int32Array(new SharedArrayBuffer(4))
          while (!existsSync(join(dir, 'written'))) Atomics.wait(sleeper, 0, 0, 10)
          while (clock.nowMs() < atMs) Atomics.wait(sleeper, 0, 0, 10)
        })
      return clock.at(atMs, wake, options)
    },
  }
}
const LATE = 'until [ -e go ]; do sleep 0.01; done; echo late; touch written'

test('the answer has all that has come by the end of the time, however busy the gateway is then', async () => {
  const answer = agent(sh(`(${LATE}) & echo first`), { clock: busyAtItsEnd() })
  expect(await answerText(answer, { messages: says('hi') })).toBe('first\nlate')
})

test('the error has all that has come by then on stderr', async () => {
  const answer = agent(sh(`(${LATE}) >&2 2>&2 & exec >&-; exit 3`), { clock: busyAtItsEnd() })
  const error = await failure(answerText(answer, { messages: says('hi') }))
  expect(error.message).toBe("the agent's program sh exited with code 3; its output: late")
})

test('an image is refused: a program reads text', async () => {
  const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }]
  expect(await failure(answerText(agent(['cat']), { messages }))).toMatchObject({ failure: 'bad-question' })
})

test('a hundred answers leave no descriptor and no process behind', async () => {
  const before = readdirSync('/proc/self/fd').length
  for (let n = 0; n < 100; n++) await ask(['echo', 'x'])
  await waitFor('the descriptors to be closed', () => readdirSync('/proc/self/fd').length <= before + 3)
})

const pidIn = (where: string, name = 'pid'): number => Number(readFile(join(where, name)))

function alive(where: string, name = 'pid'): boolean {
  try {
    return !/\) [ZX] /.test(readFile(`/proc/${pidIn(where, name)}/stat`))
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

const readFile = (file: string): string => readFileSync(file, 'utf8')

test.each([1, 2])(
  'where descriptors run out after %i pipes, the answer is an error and none of them is left',
  async (most) => {
    const native = await programNative()
    if (native === undefined) throw new Error('there are no real pipes here')
    const count = (): number => readdirSync('/proc/self/fd').length
    const before = count()
    let made = 0
    const pipe: typeof native.pipe = (options) => {
      if (made++ === most) throw Object.assign(new Error('pipe2: too many open files'), { code: 'EMFILE' })
      return native.pipe(options)
    }
    const facts = { argv: ['cat'], cwd: dir, environment: {}, clock: systemClock(), silenceMs: 20_000 }
    const asked = answerText(commandAgent({ ...facts, native: async () => ({ ...native, pipe }) }), {
      messages: says('x'),
    })
    expect(await failure(asked)).toMatchObject({
      failure: 'misconfigured',
      message: expect.stringContaining('too many'),
    })
    // One of an earlier test may have been closed in the meantime.
    expect(count()).toBeLessThanOrEqual(before)
  },
)
