import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../support/dashboard/openai-upstream.ts'
import { program } from '../../support/install.ts'
import { outputOf } from '../../support/programs/output.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor, within } from '../../support/wait.ts'

let home: string
let upstream: Upstream
beforeEach(async () => {
  home = scratchDir('hermes-chat-')
  upstream = await startUpstream()
})
afterEach(() => upstream[Symbol.asyncDispose]())

const environment = (env: Record<string, string> = {}) => ({
  PATH: process.env.PATH,
  HERMES_HOME: home,
  HERMES_RUN_DIR: join(home, 'run'),
  HERMES_DOCKER_EXEC_AS_ROOT: '1',
  TERM: 'dumb',
  ...env,
})

/** Runs `hermes` without a terminal, as `docker exec -i` does. */
function hermes(
  args: readonly string[],
  { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {},
) {
  const child = spawn(program('hermes'), args, { env: environment(env), stdio: 'pipe' })
  const output = outputOf(child)
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, ...output })),
  )
  return {
    child,
    ended: within(`hermes ${args.join(' ')}`, ended, { seen: () => output.stdout + output.stderr }),
    seen: () => output.stdout,
  }
}
const run = (...args: Parameters<typeof hermes>) => hermes(...args).ended

/** Runs `hermes` on a terminal, as `docker exec -it` does. script(1) makes one. */
function onTerminal(args: readonly string[]) {
  const line = [program('hermes'), ...args].map((argument) => `'${argument}'`).join(' ')
  const child = spawn('script', ['-qfec', line, '/dev/null'], { env: environment(), stdio: 'pipe' })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return {
    pid: child.pid ?? 0,
    shown: () => shown,
    type: (text: string) => void child.stdin.write(text),
    saw: (text: string) => waitFor(`${text} on the terminal, not ${JSON.stringify(shown)}`, () => shown.includes(text)),
    ended: within('the command to end', ended, { seen: () => shown }),
  }
}

const configure = (agent: unknown, profile?: string) => {
  const dir = profile === undefined ? home : join(home, 'profiles', profile)
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'config.yaml'), JSON.stringify({ agent }))
  return dir
}
const openAi = () => ({ openai: { base_url: upstream.baseUrl, model: 'small', api_key_env: 'UP_KEY' } })

describe('chat', () => {
  test('-q asks one question: the answer, and nothing else, is on standard output', async () => {
    configure(openAi())
    expect(await run(['chat', '-q', 'Hi'])).toEqual({ code: 0, stdout: 'Hello, world\n', stderr: '' })
    expect(JSON.parse((await run(['--json', 'chat', '-q', 'Hi'])).stdout)).toEqual({ answer: 'Hello, world' })
    expect(existsSync(join(home, 'sessions'))).toBe(false)
  })

  test.each([
    ['length', 'hermes: warning: the answer was cut off by the endpoint\'s token limit (finish_reason "length")\n'],
    [
      'content_filter',
      'hermes: warning: the answer was cut off by the endpoint\'s content filter (finish_reason "content_filter")\n',
    ],
    ['stop', ''],
  ])(
    'an answer that ends with %s is printed, and the cause that cut it off is reported beside it',
    async (finish, stderr) => {
      configure(openAi())
      const choice = (more: object) => ({ choices: [{ index: 0, finish_reason: finish, ...more }] })
      const whole = JSON.stringify(choice({ message: { content: 'Half a sen' } }))
      for (const behaviour of [
        { do: 'stream', events: [choice({ delta: { content: 'Half a sen' } }), 'data: [DONE]\n\n'] },
        { do: 'say', status: 200, type: 'application/json', body: whole },
      ] as const) {
        upstream.behave(behaviour)
        expect(await run(['chat', '-q', 'Hi'])).toEqual({ code: 0, stdout: 'Half a sen\n', stderr })
      }
      const { warning } = JSON.parse((await run(['--json', 'chat', '-q', 'Hi'])).stdout)
      expect(warning === undefined ? '' : `hermes: warning: ${warning}\n`).toBe(stderr)
    },
  )

  test('an answer that is cut off before its first word is an error that says so', async () => {
    configure(openAi())
    upstream.behave({ do: 'stream', events: [{ choices: [{ index: 0, delta: {}, finish_reason: 'length' }] }] })
    const { code, stderr } = await run(['chat', '-q', 'Hi'])
    expect(code).toBe(1)
    expect(stderr).toContain("has no text: the answer was cut off by the endpoint's token limit")
  })

  test('without -q and without a terminal standard input is the question', async () => {
    configure({ command: ['cat'] })
    expect(await run(['chat'], { stdin: 'first line\nsecond line\n' })).toMatchObject({
      code: 0,
      stdout: 'first line\nsecond line\n',
    })
    expect(await run(['chat'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'hermes: standard input is not a terminal, and it holds no question\n' +
        '  next: use docker exec -it, or ask one question: hermes -p default chat -q "…"\n',
    })
  })

  test('--session goes on with a conversation, in another process', async () => {
    configure(openAi())
    await run(['chat', '-q', 'My name is Ada', '--session', 'morning'])
    await run(['chat', '-q', 'Who am I?', '--session', 'morning'])
    expect(upstream.requests[1]?.body.messages).toEqual([
      { role: 'user', content: 'My name is Ada' },
      { role: 'assistant', content: 'Hello, world' },
      { role: 'user', content: 'Who am I?' },
    ])
    expect(JSON.parse((await run(['--json', 'chat', '--sessions'])).stdout)).toMatchObject([
      { id: 'morning', messages: 4 },
    ])
    expect(await run(['chat', '-q', 'x', '--session', '../x'])).toMatchObject({ code: 1 })
  })

  test('the key comes from the .env of the profile that is asked', async () => {
    configure(openAi())
    const dir = configure(openAi(), 'coder')
    writeFileSync(join(dir, '.env'), 'UP_KEY=sk-of-the-coder-profile\n', { mode: 0o600 })
    await run(['-p', 'coder', 'chat', '-q', 'Hi'], { env: { UP_KEY: 'sk-of-the-container' } })
    await run(['chat', '-q', 'Hi'], { env: { UP_KEY: 'sk-of-the-container' } })
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk-of-the-coder-profile',
      'Bearer sk-of-the-container',
    ])
  })

  test('without an agent it says how to get one; a failing one is reported in one line; 429 ends with 75', async () => {
    const none = await run(['chat', '-q', 'Hi'])
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('profile "default" has no agent configured')
    expect(none.stderr).toContain('hermes -p default setup')
    configure({ command: ['sh', '-c', 'echo half; exit 3'] })
    const failed = await run(['chat', '-q', 'Hi'])
    expect(failed).toMatchObject({ code: 1, stdout: 'half' })
    expect(failed.stderr).toContain('exited with code 3')
    configure(openAi())
    upstream.behave({ do: 'refuse', status: 429, error: { message: 'later' } })
    expect((await run(['chat', '-q', 'Hi'])).code).toBe(75)
  })

  test('INT and TERM end it and the program that answers', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      configure({ command: ['sh', '-c', 'echo $$; exec sleep 600'] })
      const chat = hermes(['chat', '-q', 'Hi'])
      const pid = Number(await waitFor('the program', () => chat.seen().trim()))
      chat.child.kill(signal)
      expect((await chat.ended).code).toBe(code)
      expect(existsSync(`/proc/${pid}`)).toBe(false)
    }
  })

  test.each([
    ['as terminals mark it', '\x1b[200~one\rtwo\r\rthree\r\x1b[201~\r', 'one\ntwo\n\nthree'],
    ['behind what was typed', 'Explain:\x1b[200~one\rtwo\x1b[201~ please\r', 'Explain:one\ntwo please'],
    ['in one line, marked', '\x1b[200~a short one\x1b[201~\r', 'a short one'],
    ['not marked', 'one\ntwo\nthree\n', 'one\ntwo\nthree'],
  ])('a pasted block is one question: %s', async (_, typed, question) => {
    configure(openAi())
    const chat = onTerminal(['chat'])
    await waitFor('the prompt', () => chat.shown().trimEnd().endsWith('>'))
    chat.type(typed)
    await chat.saw('Hello, world')
    chat.type('\x04')
    expect(await chat.ended).toBe(0)
    expect(upstream.requests.map(({ body }) => body.messages.at(-1)?.content)).toEqual([question])
  })

  test('lines that are entered during an answer are asked after it', async () => {
    configure(openAi())
    upstream.behave({ do: 'wait', pieces: ['never'], begin: true })
    const chat = onTerminal(['chat'])
    await waitFor('the prompt', () => chat.shown().trimEnd().endsWith('>'))
    chat.type('One\r')
    await waitFor('the question', () => upstream.requests.length === 1)
    upstream.behave({ do: 'answer', pieces: ['another answer'] })
    for (const line of ['Two\r', 'Three\r']) {
      chat.type(line)
      await chat.saw(line.trim())
    }
    chat.type('\x03')
    await chat.saw('(stopped; answer not saved; 2 more questions dropped)')
    chat.type('Four\r')
    await chat.saw('another answer')
    chat.type('\x04')
    expect(await chat.ended).toBe(0)
    expect(upstream.requests.map(({ body }) => body.messages.at(-1)?.content)).toEqual(['One', 'Four'])
  })

  test('on a terminal it is a conversation: an answer can be stopped, control characters are not obeyed, Ctrl-D leaves', async () => {
    configure(openAi())
    const chat = onTerminal(['chat', '--session', 'tty'])
    await chat.saw('Ctrl-D leaves')
    upstream.behave({ do: 'answer', pieces: ['red \x1b[31malert', ' \x1b]0;title\x07end'] })
    chat.type('Hello\r')
    await chat.saw('red [31malert ]0;titleend')
    upstream.behave({ do: 'wait', pieces: ['never'], begin: true })
    chat.type('Wait\r')
    await waitFor('the question', () => upstream.requests.length === 2)
    chat.type('\x03')
    await chat.saw('(stopped; answer not saved)')
    upstream.behave({ do: 'answer', pieces: ['good bye'] })
    chat.type('Bye\r')
    await chat.saw('good bye')
    await waitFor('a new prompt', () => chat.shown().trimEnd().endsWith('>'))
    chat.type('\x04')
    expect(await chat.ended).toBe(0)
    expect(upstream.requests[2]?.body.messages.map(({ content }) => content)).toEqual([
      'Hello',
      'red \x1b[31malert \x1b]0;title\x07end',
      'Bye',
    ])
  })
})

describe('login', () => {
  const stored = (dir = home) => JSON.parse(readFileSync(join(dir, 'auth.json'), 'utf8')).api_keys

  test('reads the key from standard input, stores it 0600, never prints it, and it counts at once', async () => {
    configure(openAi())
    const { code, stdout, stderr } = await run(['login'], { stdin: 'sk-secret-0123456789\n' })
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain('sk-secret')
    expect(stdout).toContain('UP_KEY is stored')
    expect(stored()).toEqual({ UP_KEY: 'sk-secret-0123456789' })
    expect(statSync(join(home, 'auth.json')).mode & 0o777).toBe(0o600)
    await run(['chat', '-q', 'Hi'])
    expect(upstream.requests[0]?.headers.authorization).toBe('Bearer sk-secret-0123456789')
    for (const args of [['status'], ['env'], ['config', 'get'], ['profile', 'show']]) {
      const shown = await run(args)
      expect(shown.stdout + shown.stderr).not.toContain('sk-secret')
    }
    expect((await run(['login', '--remove'])).code).toBe(0)
    expect(stored()).toEqual({})
  })

  test('stores nothing when there is no key, or an invalid one', async () => {
    for (const stdin of ['', '\n', 'two words\n']) {
      const { code, stderr } = await run(['login'], { stdin })
      expect(code).toBe(2)
      expect(stderr).toContain('nothing was stored')
      expect(stderr).not.toContain('two words')
    }
    expect(existsSync(join(home, 'auth.json'))).toBe(false)
  })

  test('on a terminal the key is not shown, the erase key works, and it is in no process list', async () => {
    const login = onTerminal(['login', '--name', 'MY_KEY'])
    await login.saw('MY_KEY for profile "default" (not shown): ')
    login.type('sk-secret-xx\x7f\x7f0123456789')
    for (const name of processLists()) expect(name).not.toContain('sk-secret')
    login.type('\r')
    await login.saw('MY_KEY is stored')
    expect(await login.ended).toBe(0)
    expect(login.shown()).not.toContain('sk-secret')
    expect(stored()).toEqual({ MY_KEY: 'sk-secret-0123456789' })
  })

  test('on a terminal Ctrl-C gives up, and leaves the terminal as it was', async () => {
    const login = onTerminal(['login'])
    await login.saw('(not shown): ')
    login.type('sk-half\x03')
    expect(await login.ended).toBe(1)
    expect(login.shown()).toContain('interrupted')
    expect(existsSync(join(home, 'auth.json'))).toBe(false)
  })
})

describe('setup', () => {
  test('takes its answers from standard input, and chat works afterwards; comments in config.yaml stay', async () => {
    writeFileSync(join(home, 'config.yaml'), '# mine\ndescription: test # of the default profile\n')
    const done = await run(['setup'], { stdin: `${upstream.baseUrl}\nsmall\n\nsk-secret-0123456789\n` })
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout + done.stderr).not.toContain('sk-secret')
    const config = readFileSync(join(home, 'config.yaml'), 'utf8')
    expect(config).toContain('# mine\ndescription: test # of the default profile\n')
    expect(config).not.toContain('sk-secret')
    expect((await run(['config', 'check'])).code).toBe(0)
    expect((await run(['chat', '-q', 'Hi'])).stdout).toBe('Hello, world\n')
    expect(upstream.requests[0]?.headers.authorization).toBe('Bearer sk-secret-0123456789')
  })

  test('without a terminal the one line is the key, under the default name; a key is never a setting', async () => {
    const args = ['setup', '--base-url', upstream.baseUrl, '--model', 'small']
    expect(await run(args, { stdin: 'sk-secret-0123456789\n' })).toMatchObject({ code: 0, stderr: '' })
    expect((await run(['chat', '-q', 'Hi'])).stdout).toBe('Hello, world\n')
    expect(upstream.requests[0]?.headers.authorization).toBe('Bearer sk-secret-0123456789')
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).not.toContain('sk-secret')
    expect(statSync(join(home, 'config.yaml')).mode & 0o777).toBe(0o640)
  })

  test('refuses what may be a key in the place of something else, and does not repeat it', async () => {
    for (const args of [
      ['setup', '--base-url', upstream.baseUrl, '--model', 'small', '--key-name', 'sk-secret-0123456789'],
      ['setup', '--base-url', upstream.baseUrl, '--model', 'small', '--key-name', 'lower_case'],
      ['setup', '--base-url', upstream.baseUrl],
      ['setup', '--model', 'small', '--base-url', ''],
      ['setup'],
      ['login', '--name', 'sk-secret-0123456789'],
    ]) {
      const { code, stdout, stderr } = await run(args, { stdin: 'sk-secret-0123456789\n' })
      expect(code, args.join(' ')).toBe(2)
      expect(stdout + stderr).not.toMatch(/sk-secret|lower_case/)
    }
    expect(existsSync(join(home, 'config.yaml'))).toBe(false)
    expect(existsSync(join(home, 'auth.json'))).toBe(false)
  })

  test('without a model says how to give one', async () => {
    const { stderr } = await run(['setup'], { stdin: '' })
    expect(stderr).toBe(
      'hermes: no model given; nothing was saved\n  next: Add --model NAME, or run it in a terminal: hermes setup\n',
    )
  })

  test('asks only for what no option says', async () => {
    const args = ['setup', '--base-url', upstream.baseUrl, '--model', 'small', '--key-name', 'UP_KEY', '--no-key']
    expect(await run(args)).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(join(home, 'auth.json'))).toBe(false)
    expect((await run(['chat', '-q', 'Hi'])).stdout).toBe('Hello, world\n')
  })

  test('writes nothing when the answers end early or make no sense', async () => {
    for (const stdin of [
      '',
      `${upstream.baseUrl}\n`,
      'no address\nsmall\n\n\n',
      `${upstream.baseUrl}\nsmall\n\ntwo words\n`,
    ]) {
      expect((await run(['setup'], { stdin })).code).toBe(2)
    }
    expect(existsSync(join(home, 'config.yaml'))).toBe(false)
    expect(existsSync(join(home, 'auth.json'))).toBe(false)
  })

  test('on a terminal it asks, with defaults, and hides the key', async () => {
    const setup = onTerminal(['setup'])
    await setup.saw('Endpoint [https://api.openai.com/v1]: ')
    setup.type(`${upstream.baseUrl}\r`)
    await setup.saw('Model: ')
    setup.type('small\r')
    await setup.saw('Name of the key [OPENAI_API_KEY]: ')
    setup.type('\r')
    await setup.saw('Key (not shown; empty: none): ')
    setup.type('sk-secret-0123456789\r')
    expect(await setup.ended).toBe(0)
    expect(setup.shown()).not.toContain('sk-secret')
    expect((await run(['chat', '-q', 'Hi'])).stdout).toBe('Hello, world\n')
  })
})

function processLists(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      } catch {
        // It has ended in the meantime.
        return ''
      }
    })
}
