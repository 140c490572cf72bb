import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandBlocks, pages, root } from '../support/pages.ts'
import { waitFor } from '../support/wait.ts'

test('the first command of the README starts the default gateway, says what to type next, and Ctrl-C stops it', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme)[0]?.text).toBe('npm ci && npm start')
  const checkout = mkdtempSync(join(tmpdir(), 'hermes-checkout-'))
  for (const name of ['bin', 'src', 'scripts', 'docker', 'package.json']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true, verbatimSymlinks: true })
  }
  // What npm ci would make; it is the same in every checkout.
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const { HERMES_HOME: _, XDG_RUNTIME_DIR: __, ...env } = process.env
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
    rmSync(checkout, { recursive: true, force: true })
  }
})
