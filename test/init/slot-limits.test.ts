// On the real cgroups of this machine, where they can be written.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SlotLimits } from '../../src/init/slot-limits.ts'
import { waitFor } from '../support/wait.ts'

const CGROUPS = '/sys/fs/cgroup'
const isV1 = existsSync(join(CGROUPS, 'pids', 'cgroup.procs'))

/** A cgroup of this test's with so many pids. @returns why there is none */
function makeParent(name: string, most: number): string | undefined {
  const dir = join(isV1 ? join(CGROUPS, 'pids') : CGROUPS, name)
  try {
    if (!isV1) writeFileSync(join(CGROUPS, 'cgroup.subtree_control'), '+pids')
    mkdirSync(dir)
    writeFileSync(join(dir, 'pids.max'), String(most))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function limitsOf(
  env: Readonly<Record<string, string>>,
  options: { readonly path?: string; readonly cgroups?: string } = {},
) {
  const dir = mkdtempSync(join(tmpdir(), 'limits-'))
  const self = join(dir, 'self')
  writeFileSync(self, isV1 ? `8:pids:${options.path ?? '/'}\n` : `0::${options.path ?? '/'}\n`)
  const warnings: string[] = []
  const limits = new SlotLimits({
    env,
    ownContainer: options.path !== undefined,
    dropped: true,
    warn: (text) => warnings.push(text),
    self,
    ...(options.cgroups !== undefined && { cgroups: options.cgroups }),
  })
  rmSync(dir, { recursive: true })
  return { limits, warnings }
}

const name = `hermes-test-${process.pid}`
const why = process.getuid?.() === 0 ? makeParent(name, 300) : 'needs root'

describe.skipIf(why !== undefined)(`cgroups (${why ?? 'of this machine'})`, () => {
  const parent = join(isV1 ? join(CGROUPS, 'pids') : CGROUPS, name)

  test('a slot may have half of what the container may: a fork bomb fails, and its cgroup goes with it', async () => {
    const { limits, warnings } = limitsOf({}, { path: `/${name}` })
    const bomb = 'read -r _; i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i + 1)); done; echo all'
    const child = spawn('/bin/sh', ['-c', bomb], { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const { pid = 0 } = child
    const ended = once(child, 'exit') // the shell itself may end at the fork that fails
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    limits.enter('gateway-a', pid)
    expect(readFileSync(join(parent, 'hermes-gateway-a', 'pids.max'), 'utf8').trim()).toBe('150')
    child.stdin.end('go\n')
    await waitFor('a fork to fail', () => said.includes('fork'))
    expect(Number(readFileSync(join(parent, 'hermes-gateway-a', 'pids.current'), 'utf8'))).toBeLessThanOrEqual(150)
    process.kill(-pid, 'SIGKILL')
    await ended
    await waitFor('all of it to be gone', () => {
      limits.leave('gateway-a')
      return !existsSync(join(parent, 'hermes-gateway-a'))
    })
    expect(warnings).toEqual([])
    rmdirSync(parent)
  })
})

test('where cgroups cannot be written there is no limit, and nothing is said', () => {
  const empty = mkdtempSync(join(tmpdir(), 'cgroups-'))
  const { limits, warnings } = limitsOf({}, { path: '/', cgroups: join(empty, 'none') })
  limits.enter('gateway-a', process.pid)
  limits.leave('gateway-a')
  expect([limits.prefix, warnings]).toEqual([[], []])
  rmSync(empty, { recursive: true })
})

test.each([
  ['500', ['/usr/bin/prlimit', '--nproc=500', '--'], []],
  ['', [], []],
  ['3', [], [expect.stringContaining('HERMES_MAX_PROCESSES: expected a whole number from 64 to 4194304, got "3"')]],
  ['many', [], [expect.stringContaining('got "many"')]],
])('HERMES_MAX_PROCESSES=%o: %j', (value, prefix, warned) => {
  const { limits, warnings } = limitsOf({ HERMES_MAX_PROCESSES: value })
  expect(limits.prefix).toEqual(prefix)
  expect(warnings).toEqual(warned)
})
