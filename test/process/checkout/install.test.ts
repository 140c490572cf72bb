// The package, as a user of a machine with only Node and npm installs and uses it.
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Ran, run, tryRun } from '../../../scripts/run.ts'
import { readProcess } from '../../../src/system/programs/proc.ts'
import { pathWithout } from '../../support/hostile/path-without.ts'
import { installDir } from '../../support/install.ts'
import { commandBlocks, pages, root } from '../../support/pages.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { serveRegistry } from './npm-registry.ts'

const whyNoNpm = whyMissing('npm')
/** An ordinary user. Tests that are not root are one themselves. */
const USER = process.getuid?.() === 0 ? 12_347 : undefined
const asUser = USER === undefined ? [] : ['setpriv', '--reuid', `${USER}`, '--regid', `${USER}`, '--clear-groups', '--']
const MAX_BYTES = 15_000_000

const place = mkdtempSync(join(tmpdir(), 'hermes-package-'))
chmodSync(place, 0o755)
afterAll(() => rmSync(place, { recursive: true, force: true }))

/** The package as `npm pack` describes it. */
interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

/** `npm pack` in a checkout with a build. */
async function packed(): Promise<Packed & { readonly file: string }> {
  const checkout = join(place, 'checkout')
  for (const name of ['package.json', 'README.md', 'LICENSE', '.npmrc', 'src/log', 'test/log'])
    cpSync(join(root, name), join(checkout, name), { recursive: true })
  cpSync(installDir(), join(checkout, 'dist'), { recursive: true })
  const { stdout } = await run('npm', ['pack', '--json'], { cwd: checkout })
  const said = JSON.parse(stdout) as readonly Packed[] | Readonly<Record<string, Packed>>
  const [one] = Object.values(said)
  if (one === undefined) throw new Error(`npm pack has said nothing of a package: ${stdout}`)
  return { ...one, file: join(checkout, one.filename) }
}

/** The machine's programs, npm's settings of the test, and a home. */
function userOf(registry: string): { readonly home: string; readonly env: Readonly<Record<string, string>> } {
  const home = join(place, 'user')
  mkdirSync(home)
  if (USER !== undefined) chownSync(home, USER, USER)
  const programs = pathWithout(join(place, 'programs'), (name) => name.startsWith('docker') || name === 'hermes')
  return { home, env: { HOME: home, PATH: programs, LANG: 'C.UTF-8', npm_config_registry: registry } }
}

/** Every entry of a directory with what a write changes. */
const snapshot = (dir: string): readonly string[] =>
  globSync('**', { cwd: dir })
    .sort()
    .map((path) => {
      const { mode, uid, mtimeMs, size } = lstatSync(join(dir, path))
      return [path, mode, uid, mtimeMs, size].join(' ')
    })

test.skipIf(whyNoNpm !== undefined)(
  named(
    'the page on installing, followed as it stands by a user with only Node and npm: no warning, and a package of others that stays as it was',
    whyNoNpm,
  ),
  { timeout: 600_000 },
  async () => {
    const archive = await packed()
    expect(archive.filename).toMatch(/^hermes-container-\d+\.\d+\.\d+\.tgz$/)
    expect(archive.size).toBeLessThan(MAX_BYTES)
    const files = archive.files.map(({ path }) => path)
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'dist/THIRD-PARTY-LICENSES',
        'dist/bin/init',
        'dist/lib/koffi.node',
        'dist/sbom.cdx.json',
      ]),
    )
    expect(
      files.filter(
        (path) =>
          !/^(LICENSE|README\.md|package\.json|dist\/((bin|lib|share)\/.+|THIRD.+|sbom\.cdx\.json))$/.test(path),
      ),
    ).toEqual([])

    // Only Node comes from the registry: here, a link to the one of these tests, at the place of its program.
    const node = join(place, 'node')
    cpSync(process.execPath, node)
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      optionalDependencies: Readonly<Record<string, string>>
    }
    await using registry = await serveRegistry(
      Object.entries(optionalDependencies).map(([name, version]) => ({
        name,
        version,
        os: ['linux'],
        cpu: [name.replace('node-linux-', '')],
        programs: { 'bin/node': `#!/bin/sh\nexec ${node} "$@"\n` },
      })),
    )
    const { home, env } = userOf(registry.url)
    const type = (script: string): Promise<Ran> => {
      const [file = '', ...args] = [...asUser, 'bash', '-c', script]
      return tryRun(file, args, { cwd: home, env, timeoutMs: 240_000 })
    }
    const types = async (script: string): Promise<string> => {
      const { code, stdout, stderr } = await type(script)
      expect({ code, stderr }, `${script}\n${stdout}`).toEqual({ code: 0, stderr: '' })
      return stdout
    }
    cpSync(archive.file, join(home, archive.filename))
    if (USER !== undefined) chownSync(join(home, archive.filename), USER, USER)

    const page = pages().find(({ path }) => path === 'docs/install.md')
    const [use, prefix, make, systemd, npx, ...more] =
      page === undefined ? [] : commandBlocks(page).map(({ text }) => text)
    expect(more).toEqual([])
    // The checkout's part is above; with a network it takes a minute.
    expect(make).toBe('npm ci && npm run package')
    await types(prefix ?? '')
    const installed = join(home, '.local', 'lib', 'node_modules', 'hermes-container')
    // Where man(1) looks, since ~/.local/bin is on PATH.
    const shared = join(home, '.local', 'share', 'man')
    expect(readFileSync(join(shared, 'man1', 'hermes-kanban.1'), 'utf8')).toMatch(/^\.TH "HERMES\\-KANBAN" 1 /m)
    expect(readFileSync(join(shared, 'man5', 'hermes-config.5'), 'utf8')).toMatch(/^\.TH "HERMES\\-CONFIG" 5 /m)
    expect(globSync('*', { cwd: join(installed, 'node_modules') })).toEqual([`node-linux-${process.arch}`])
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    expect(manifest).toMatchObject({ name: 'hermes-container', optionalDependencies })
    expect(manifest).not.toHaveProperty('dependencies')
    expect(await types(npx ?? '')).toMatch(/^hermes \d/)

    // As an administrator installs it: its users may not write there.
    await run('chmod', ['-R', 'a-w', installed])
    if (USER !== undefined) await run('chown', ['-R', '0:0', installed])
    const before = snapshot(installed)
    const path = 'export PATH="$HOME/.local/bin:$PATH"\n'
    const [install, detach, set, chat, stop, ...others] = (use ?? '').split('\n')
    expect(install).toBe('npm install --global ./hermes-container-*.tgz')
    expect(others).toEqual([])
    await types(path + systemd)
    expect(readFileSync(join(home, '.config/systemd/user/hermes.service'), 'utf8')).toContain(
      `ExecStart="${installed}/dist/bin/hermes" start\n`,
    )
    try {
      expect(await type(`${path}HERMES_HOME=/proc/none ${detach}`)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^hermes: error: .*\/proc\/none.*\nhermes: Hermes has ended .* \(exit code 1\)/s),
      })
      const started = await types(path + detach)
      const pid = Number(/^Hermes is running for .*\.hermes \(pid (\d+)\)$/m.exec(started)?.[1])
      expect(started).toMatch(/^logs: \S+\/\.hermes\/logs\/supervisor\.log, \S+\/\.hermes\/logs\/gateways$/m)
      expect(readProcess(pid)?.session).toBe(pid)
      expect(await types(`${path}${set}\n${chat}`)).toMatch(/HELLO\n$/)
      expect(await types(path + detach)).toContain(`Hermes is already running for ${home}/.hermes (pid ${pid})`)
      expect(await type(`${path}hermes start`)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`Hermes is already running for ${home}/.hermes (pid ${pid})`),
      })
      expect(await type(`${path}hermes stop default`)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('next: hermes gateway stop default\n'),
      })
      expect(readProcess(pid)?.session).toBe(pid)
      await types(path + stop)
      // A machine whose first process is slow to reap it has its zombie for a moment.
      expect([undefined, 'Z']).toContain(readProcess(pid)?.state)
      expect(await type(`${path}hermes stop`)).toMatchObject({ code: 4, stdout: '' })
    } finally {
      await type(`${path}hermes stop`)
    }
    expect(snapshot(installed)).toEqual(before)

    // npm goes on without a word when it cannot download the Node of the package.
    rmSync(join(installed, 'node_modules'), { recursive: true })
    // It would be taken, if it is new enough.
    if (existsSync('/usr/local/bin/node')) return
    const bare = join(place, 'bare')
    mkdirSync(bare)
    for (const name of ['sh', 'env', 'readlink']) symlinkSync(join('/usr/bin', name), join(bare, name))
    const without = (node?: string): Promise<Ran> => {
      rmSync(join(bare, 'node'), { force: true })
      if (node !== undefined) writeFileSync(join(bare, 'node'), node, { mode: 0o755 })
      return type(`PATH=${bare} ${installed}/dist/bin/hermes version`)
    }
    const next = expect.stringContaining('\n  next: npm install brings one along')
    const old = '#!/bin/sh\n[ "$1" = --version ] && echo v20.20.2 || exit 9\n'
    for (const [node, found] of [
      [undefined, 'none'],
      [old, 'v20.20.2'],
    ] as const) {
      const { code, stderr } = await without(node)
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`hermes: needs Node 24 or newer, and there is ${found}\n`),
      ])
      expect(stderr).toEqual(next)
    }
    expect(await without(`#!/bin/sh\nexec ${node} "$@"\n`)).toMatchObject({ code: 0, stderr: '' })
  },
)
