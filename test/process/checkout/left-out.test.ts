// `npm test` on a machine without the programs that only some tests need.
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pathWithout } from '../../support/hostile/path-without.ts'
import { installDir } from '../../support/install.ts'
import { root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'

/** A missing program, a file and the name of a test that needs it, and the message instead. */
const MISSING = [
  [
    'promtool',
    'test/process/dashboard/api.test.ts',
    'promtool finds',
    /promtool is not on PATH; apt-get install prometheus/,
  ],
  [
    's6-svc',
    'test/supervisor/s6/slot-dir.test.ts',
    'with the original s6 tools',
    /s6-svc is not on PATH; apt-get install s6/,
  ],
  ['s6-svscan', 'test/process/s6/contract.test.ts', 'what is wrong', /s6-svscan is not on PATH; apt-get install s6/],
  ['s6-log', 'test/process/s6/s6-log.test.ts', 'the lines are those', /s6-log is not on PATH; apt-get install s6/],
  [
    's6-rc-compile',
    'test/services/s6-rc-compile.test.ts',
    'itself says',
    /s6-rc-compile is not on PATH; apt-get install s6-rc/,
  ],
  // It reports this while it runs.
  ['script', 'test/log/console.test.ts', 'a terminal without a reader', /util-linux script is not installed/],
  ['strace', 'test/profile/state/state.test.ts', 'is on the disk', /strace is not on PATH; apt-get install strace/],
  ['unshare', 'test/process/services/many-services.test.ts', 'services', /unshare: .*/],
] as const

test('without optional programs and rights their tests are left out and named, the rest passes, and it fits on a screen', () => {
  const dir = scratchDir('hermes-left-out-')
  const gone = new Set<string>(MISSING.map(([name]) => name))
  const path = pathWithout(join(dir, 'bin'), (name) => gone.has(name) || /^(docker|chromium|google-chrome)/.test(name))
  // There, but not allowed: as in most containers.
  writeFileSync(
    join(path, 'unshare'),
    '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n',
  )
  chmodSync(join(path, 'unshare'), 0o755)
  const files = ['test/slot/rows.test.ts', 'test/browser', 'test/container', ...MISSING.map(([, file]) => file)]
  const names = ['rows|backoff|gives up|the delay is', ...MISSING.map(([, , name]) => name)].join('|')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/test.ts', ...files, '--maxWorkers=1', '-t', names],
    { cwd: root, encoding: 'utf8', env: { PATH: path, HOME: dir, HERMES_TEST_INSTALL: installDir() } },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  for (const [name, , , why] of MISSING)
    expect(stdout, name).toMatch(new RegExp(`^left out: \\d+ tests?, because ${why.source}$`, 'm'))
  expect(stdout).toContain('left out: the container tests, because there is no docker client on PATH\n')
  expect(stdout).toMatch(/^left out: the browser tests, because there is no Chromium/m)
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed, \d+ skipped$/m)
  expect(stdout.split('\n').length).toBeLessThanOrEqual(60)
})

/**
 * How a test says that some machines cannot run it, and how its name, or what it says when it runs, gives the reason.
 */
const MAY_BE_LEFT_OUT = /\.(skipIf|runIf)\(|\bskip\(/
const GIVES_REASON = /named\(|\$\{why|\((needs|only) |skip\([^)]/

test('every test that some machines cannot run says why', () => {
  const silent = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('container/'))
    .flatMap((name) => {
      const lines = readFileSync(join(root, 'test', name), 'utf8').split('\n')
      return lines.flatMap((line, at) => {
        // The name may stand behind a table of cases.
        const statement = lines.slice(at, at + 20).join('\n')
        return MAY_BE_LEFT_OUT.test(line) && !GIVES_REASON.test(statement) ? [`${name}:${at + 1}`] : []
      })
    })
  expect(silent).toEqual([])
})
