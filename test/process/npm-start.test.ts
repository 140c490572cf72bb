import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandBlocks, pages, root } from '../support/pages.ts'
import { waitFor } from '../support/wait.ts'

/** A fresh checkout on a machine that has a Node and npm of its own, whatever their version, no Docker, and nothing of ours. */
function newcomersMachine(): Disposable & { readonly checkout: string; readonly env: Record<string, string> } {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-newcomer-'))
  const checkout = join(dir, 'checkout')
  for (const name of ['bin', 'src', 'scripts', 'docker', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true, verbatimSymlinks: true })
  }
  // What npm ci would make; it is the same in every checkout.
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const programs = join(dir, 'bin')
  mkdirSync(programs)
  const seen = new Set<string>()
  for (const place of (process.env.PATH ?? '').split(':').filter((one) => !one.includes('node_modules'))) {
    for (const name of namesIn(place)) {
      if (seen.has(name) || name.startsWith('docker')) continue
      seen.add(name)
      symlinkSync(join(place, name), join(programs, name))
    }
  }
  return {
    checkout,
    env: { PATH: programs, HOME: dir },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

const namesIn = (dir: string): readonly string[] => {
  try {
    return readdirSync(dir)
  } catch {
    return [] // a PATH may name what is not there
  }
}

test('the first command of the README starts the default gateway, says what to type next, and Ctrl-C stops it', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme)[0]?.text).toBe('npm ci && npm start')
  using machine = newcomersMachine()
  const { checkout, env } = machine
  const npm = spawn('npm', ['start'], { cwd: checkout, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  npm.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  npm.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = new Promise<number | null>((resolve) => npm.once('exit', resolve))
  try {
    const next = await waitFor(
      'the line that says what to type',
      () => /In a second terminal: (\S+) status/.exec(said),
      {
        deadlineMs: 60_000,
      },
    )
    await waitFor('the default gateway', () => said.includes('gateway-default') && said.includes('is up'))
    const status = execFileSync(next[1] as string, ['status'], { cwd: checkout, env, encoding: 'utf8' })
    expect(status).toMatch(/^Manager: foreground\n/)
    expect(status).toMatch(/gateway-default +up/)
    // Ctrl-C reaches the whole foreground process group.
    process.kill(-(npm.pid as number), 'SIGINT')
    expect(await ended).toBe(0)
  } finally {
    if (npm.exitCode === null) process.kill(-(npm.pid as number), 'SIGKILL')
  }
})

test('the second command of the README runs on a machine without Docker, and says what it left out', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme).map(({ text }) => text)).toContain('npm ci && npm test')
  using machine = newcomersMachine()
  const { checkout, env } = machine
  const npm = spawn('npm', ['test', '--', 'test/slot/rows.test.ts'], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  npm.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const code = await new Promise((resolve) => npm.once('exit', resolve))
  expect(said).toContain('left out: the container tests, because there is no docker client on PATH\n')
  expect(said).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/m)
  expect(code).toBe(0)
})
