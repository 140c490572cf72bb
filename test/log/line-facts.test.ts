import { describe, expect, test } from 'vitest'
import { follow, type LineFacts, levelOf, readLine } from '../../src/log/line-facts.ts'
import { cpuMs } from '../support/wait.ts'

const E = '\x1b'

describe('the level of a line', () => {
  test.each([
    // Our own form and what Python's logging makes of the same.
    ['ERROR [s] agent: no answer', 'error'],
    ['WARN [s1] api: text', 'warn'],
    ['2026-05-29 11:55:01,123 ERROR [s] broken', 'error'],
    ['2026-05-29 11:55:01,123 - worker.pool - WARNING - slow', 'warn'],
    ['2026-05-29 11:55:01,123 [main] ERROR com.example.App - broken', 'error'],
    ['2026-05-29T11:55:01.123+02:00  WARN 1 --- [main] c.e.App : slow', 'warn'],
    ['2026-05-29 11:55:01.123 | ERROR    | module:func:12 - broken', 'error'],
    ['[2026-05-29 11:55:01,123: ERROR/MainProcess] Task failed', 'error'],
    ['WARNING x', 'warn'],
    ['INFO:root:started', 'info'],
    ['CRITICAL:root:gone', 'error'],
    ['INFO:     listening', 'info'],
    ['ERR no answer', 'error'],
    ['10:00:00 ERR no answer', 'error'],
    ['[11:55:01 ERR] no answer', 'error'],
    ['[11:55:01.123] ERROR (123): broken', 'error'],
    ['11:55:01.123 [error] GenServer terminating', 'error'],
    // Brackets, in any case.
    ['[ERROR] broken', 'error'],
    ['[warn] slow', 'warn'],
    ['[Warning] slow', 'warn'],
    ['2026/05/29 11:55:01 [error] 123#0: *1 open() failed', 'error'],
    ['2026/05/29 11:55:01 [notice] 1#1: start worker', 'info'],
    ['[Fri May 29 11:55:01.123 2026] [core:error] [pid 1] x', undefined],
    ['2026-05-29T11:55:01.123456Z 0 [Warning] [MY-010068] [Server] CA', 'warn'],
    ['[2026-05-29T11:55:01Z ERROR crate::module] broken', 'error'],
    ['(WARN) slow', 'warn'],
    // Lower case with a mark, or after a time.
    ['error: no such file', 'error'],
    ['warning: unused variable', 'warn'],
    ['fail: Microsoft.Hosting.Lifetime[14]', 'error'],
    ['hermes: warning: cannot write', 'warn'],
    ['nginx: [emerg] bind() failed', 'error'],
    ['npm ERR! code ENOENT', 'error'],
    ['npm warn deprecated x', 'warn'],
    ['main.c:12:5: error: expected ;', 'error'],
    ['2026-05-29T11:55:01.123Z\twarn\tpkg/file.go:12\tslow', 'warn'],
    ['2026-05-29 11:55:01 error something broke', 'error'],
    ['2026/05/29 11:55:01 main.go:23: error: broken', 'error'],
    ['2026/05/29 11:55:01 ERROR broken err="x"', 'error'],
    // logfmt
    ['level=warn msg=slow', 'warn'],
    ['time="2026-05-29T11:55:01Z" level=error msg="all is well" n=1', 'error'],
    ['ts=2026-05-29T11:55:01.123Z caller=main.go:1 level=debug msg=x', 'debug'],
    ['msg="level=error in a text" level=info', 'info'],
    ['time=2026-05-29T11:55:01Z level=ERROR+2 msg=x', 'error'],
    // JSON
    ['{"level":50,"msg":"broken"}', 'error'],
    ['{"level":30,"msg":"request"}', 'info'],
    ['{"level":60,"msg":"gone"}', 'error'],
    ['{"level":"warn","msg":"slow"}', 'warn'],
    ['{"severity":"ERROR","message":"x"}', 'error'],
    ['{"levelname":"WARNING","message":"x"}', 'warn'],
    ['{"log.level":"error","@timestamp":"2026-05-29T11:55:01Z"}', 'error'],
    ['{"log":{"level":"error"},"message":"x"}', 'error'],
    ['{"@t":"2026-05-29T11:55:01Z","@l":"Warning","@m":"x"}', 'warn'],
    ['{"version":"1.1","host":"h","short_message":"x","level":3}', 'error'],
    [JSON.stringify({ event: 'a long text '.repeat(30), level: 'error' }), 'error'],
    ['2026-05-29T11:55:01Z {"level":"error","msg":"x"}', 'error'],
    ['{"log":"ERROR broken\\n","stream":"stderr","time":"2026-05-29T11:55:01.1Z"}', 'error'],
    // CRI, syslog, klog and other single letters
    ['2016-10-06T00:17:09.669794202Z stderr F ERROR broken', 'error'],
    ['2016-10-06T00:17:09.669794202Z stdout F {"level":40}', 'warn'],
    ['2016-10-06T00:17:09.669794202Z stdout P no error here', undefined],
    ['<11>May 29 11:55:01 host app[12]: broken', 'error'],
    ['<165>1 2003-10-11T22:14:15.003Z host app 1 ID47 - text', 'info'],
    ['<4>slow', 'warn'],
    ['May 29 11:55:01 host app[12]: error: broken', 'error'],
    ['May  9 11:55:01 host app: WARNING slow', 'warn'],
    ['2026-05-29T11:55:01+00:00 host app[12]: ERROR broken', 'error'],
    ['I0529 11:55:01.123456       1 server.go:12] started', 'info'],
    ['E0529 11:55:01.123456       1 server.go:12] broken', 'error'],
    ['W, [2026-05-29T11:55:01.123456 #12]  WARN -- : slow', 'warn'],
    ['E/Tag( 123): broken', 'error'],
    ['[W 2026-05-29 11:55:01.123 ServerApp] slow', 'warn'],
    ['[E 260529 11:55:01 web:12] broken', 'error'],
    ['2026-05-29 11:55:01.123 UTC [12] ERROR:  relation does not exist', 'error'],
    ['2026-05-29 11:55:01.123 UTC [12] app@db LOG:  checkpoint', 'info'],
    ['PHP Warning:  Undefined variable in x.php', 'warn'],
    ['PHP Fatal error:  Uncaught x', 'error'],
    // Colours
    [`${E}[31mERROR${E}[0m disk is full`, 'error'],
    [`2026-01-02 10:00:00 ${E}[33mWARN${E}[39m slow`, 'warn'],
    [`${E}[32mINFO${E}[0m:     started`, 'info'],
    [`${E}[90m10:00PM${E}[0m ${E}[31mERR${E}[0m broken`, undefined],
    [`${E}]8;;http://x${E}\\ERROR${E}]8;;${E}\\ broken`, 'error'],
    // Exceptions that stand alone
    ['Error: Cannot find module', 'error'],
    ['TypeError: x is not a function', 'error'],
    ['java.lang.NullPointerException: x', 'error'],
    ['Traceback (most recent call last):', 'error'],
    ['panic: runtime error: index out of range', 'error'],
    ['Error [ERR_MODULE_NOT_FOUND]: x', 'error'],
    ['Uncaught Exception', 'error'],
    // The line's own word, not a far one
    ['INFO try again after error: none', 'info'],
    ['DEBUG no WARNING and no ERROR', 'debug'],
  ])('%j', (text, level) => {
    expect(levelOf(text)).toBe(level)
  })

  test.each([
    'battery level: 80 of 100',
    'no error was found',
    'listening on 8080, level=5 of error',
    'error handling is on',
    'warning signs were put up',
    'the ERROR of my ways',
    '200 errors: none',
    '10.0.0.1 - - [29/May/2026:11:55:01 +0000] "GET /error HTTP/1.1" 500 12',
    'INFORMATION',
    'ERRORS=5',
    'retrying after: ERROR none',
    'Connection OK, ERROR count 0',
    'GET /warn 200',
    'info.plist was read',
    'debug-server started',
    '[debug-server] started',
    '[main] error handling is on',
    'errorful words: many',
    'http://error.example/',
    '{"message":"level error"}',
    '{"level":"error"',
    '[1,2,3]',
    '',
    '   ',
  ])('%j names none', (text) => {
    expect(levelOf(text)).toBeUndefined()
  })

  test('a line of any length and shape is read in no time', () => {
    const shapes = [
      '[',
      '(',
      ' - ',
      'a=',
      '\x1b[',
      '<1>',
      'x:1:',
      'a@b ',
      '2026-05-29 11:55:01 ',
      'Error',
      '{"a":',
      'A.',
    ]
    const ms = cpuMs(() => {
      for (const shape of shapes) levelOf(shape.repeat(250_000 / shape.length))
    })
    expect(ms).toBeLessThan(3000)
  })
})

describe('session and time', () => {
  test.each([
    ['ERROR [s1] x: 1', { level: 'error', session: 's1' }],
    [
      '2026-05-29 11:55:01,123 ERROR [s] x',
      { level: 'error', session: 's', atMs: Date.UTC(2026, 4, 29, 11, 55, 1, 123) },
    ],
    ['2026-05-29T11:55:01+02:00 INFO x', { level: 'info', atMs: Date.UTC(2026, 4, 29, 9, 55, 1) }],
    ['{"level":30,"time":1780055701123,"session":"s"}', { level: 'info', session: 's', atMs: 1_780_055_701_123 }],
    ['{"level":"info","ts":1780055701.123,"session_id":"s"}', { level: 'info', session: 's', atMs: 1_780_055_701_123 }],
    [
      'time=2026-05-29T11:55:01Z level=info session=s',
      { level: 'info', session: 's', atMs: Date.UTC(2026, 4, 29, 11, 55, 1) },
    ],
    ['2026-05-29 11:55:01 text', { atMs: Date.UTC(2026, 4, 29, 11, 55, 1) }],
    ['text at 2026-05-29 11:55:01', {}],
  ])('%j', (text, facts) => {
    expect(readLine(text)).toEqual(facts)
  })
})

test('the lines of a traceback belong to the line they explain; what is not part of it stands for itself', () => {
  const lines = [
    ['2026-05-29 11:55:01,123 ERROR [s] broken', 'error', 's'],
    ['Traceback (most recent call last):', 'error', 's'],
    ['  File "app.py", line 1, in run', 'error', 's'],
    ['    raise ValueError("x")', 'error', 's'],
    ['ValueError: x', 'error', 's'],
    ['', 'error', 's'],
    ['During handling of the above exception, another exception occurred:', 'error', 's'],
    ['2026-05-29 11:55:02,123 WARNING [t] slow', 'warn', 't'],
    ['Traceback (most recent call last):', 'warn', 't'],
    ['KeyError: 1', 'warn', 't'],
    ['GET / 200', undefined, undefined],
    ['INFO [u] served', 'info', 'u'],
    ['Error: boom', 'error', 'u'],
    ['    at run (app.js:1:2)', 'error', 'u'],
    ['Caused by: java.io.IOException: x', 'error', 'u'],
    ['\t... 12 more', 'error', 'u'],
    ['{"level":30,"msg":"x"}', 'info', undefined],
  ] as const
  let before: LineFacts | undefined
  const read = lines.map(([text]) => {
    before = follow(before, readLine(text))
    return [text, before.level, before.session]
  })
  expect(read).toEqual(lines)
})
