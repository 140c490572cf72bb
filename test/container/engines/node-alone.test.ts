// `npm test` on a machine that has Node and nothing else: a container of the base image, a plain user, no network.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { baseImage } from '../../support/container/base-image.ts'
import { copyCheckout } from '../../support/container/checkout.ts'
import { dockerCommand } from '../../support/container/container.ts'
import { root } from '../../support/pages.ts'
import { size } from '../../support/size.ts'

/**
 * Of each optional program or right a file that needs it, and the test that does; beside them some that need nothing.
 */
const SOME = [
  ['test/slot/rows.test.ts', 'rows|backoff|gives up|the delay is'],
  ['test/process/dashboard/api.test.ts', 'promtool finds'],
  ['test/supervisor/s6/slot-dir.test.ts', 'with the original s6 tools'],
  ['test/services/s6-rc-compile.test.ts', 'itself says'],
  ['test/profile/state/state.test.ts', 'is on the disk'],
  ['test/process/checkout/docs.test.ts', 'docs/(read-logs|run-my-own-program|sessions)'],
  ['test/cli/drop.test.ts', 'is what init wrote|cannot be told by'],
] as const

/** Where vitest writes in node_modules. */
const CACHES = ['.vite', '.vite-temp']

let checkout: string
beforeAll(async () => {
  checkout = mkdtempSync(join(tmpdir(), 'hermes-node-alone-'))
  copyCheckout(checkout)
  for (const name of CACHES) mkdirSync(join(root, 'node_modules', name), { recursive: true })
  await promisify(execFile)('chown', ['--recursive', '--no-dereference', '1000:1000', checkout])
})
afterAll(() => rmSync(checkout, { recursive: true, force: true }))

test('npm test passes, says what it leaves out, and fits on a screen', async () => {
  const selection = [
    ...SOME.map(([file]) => file),
    'test/browser',
    'test/container',
    '-t',
    SOME.map(([, name]) => name).join('|'),
  ]
  const { code, stdout, stderr } = await dockerCommand([
    ...['run', '--rm', '--init', '--network', 'none', '--user', '1000:1000', '--env', 'HOME=/home/node'],
    ...['--tmpfs', '/home/node:uid=1000,gid=1000,exec', '--volume', `${checkout}:/checkout`, '--workdir', '/checkout'],
    // Half a gigabyte: mounted, not copied.
    ...['--volume', `${join(root, 'node_modules')}:/checkout/node_modules:ro`],
    ...CACHES.flatMap((name) => ['--tmpfs', `/checkout/node_modules/${name}:uid=1000,gid=1000`]),
    ...[await baseImage(() => undefined), 'npm', 'test', ...(size(1, 0) === 1 ? ['--', ...selection] : [])],
  ])
  const said = `${stdout}\n${stderr}`
  expect(code, said).toBe(0)
  expect(stdout, said).toMatch(/^[1-9]\d* passed, 0 failed, \d+ skipped$/m)
  expect(said.trim().split('\n').length, said).toBeLessThanOrEqual(60)
  expect(stdout).toContain('left out: the container tests, because there is no docker client on PATH\n')
  expect(stdout).toMatch(/^left out: the browser tests, because there is no Chromium/m)
  for (const tool of ['promtool', 's6-svc', 's6-rc-compile', 'strace', 'python3'])
    expect(stdout, said).toMatch(new RegExp(`^left out: \\d+ tests?, because .*${tool}.* not on PATH; apt-get`, 'm'))
  expect(stdout, said).toMatch(/^left out: \d+ tests?, because needs root$/m)
  expect(stdout, said).not.toContain('which does not say why')
})
