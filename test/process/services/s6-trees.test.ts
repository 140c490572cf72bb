// The same directories under the original s6-svscan, which is what s6-overlay hands services.d to, and under ours.
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runAsPid1, whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type Etc, layEtc, startServices } from '../../support/supervisor/service-box.ts'
import { CRON, FAILING } from '../../support/supervisor/service-trees.ts'
import { whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? whyMissing('s6-svscan') : 'needs root')

const TREE: Etc = {
  ...CRON,
  ...FAILING,
  'services.d/slow/run':
    '#!/bin/sh\ntrap "echo slow stops >>/run/order; exit 0" INT\necho "slow starts as $(id -u), stdin is $(readlink /proc/$$/fd/0)" >>/run/order\nwhile :; do sleep 0.05; done\n',
  'services.d/slow/down-signal': 'SIGINT\n',
  'services.d/off/run': '#!/bin/sh\necho off starts >>/run/order\nexec sleep 1000\n',
  'services.d/off/down': '',
}

/** The notes of each service, in their order; the order between services is undefined. */
const byService = (order: string): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    ['cron', 'failing', 'logged', 'slow', 'off'].map((name) => [
      name,
      order.split('\n').filter((line) => line.startsWith(name)),
    ]),
  )
const isRunning = (order: string): boolean =>
  ['cron starts', 'failing finishes', 'logged failing', 'slow starts'].every((text) => order.includes(text))

/** @returns /run/order of a life under s6-svscan: everything started, then TERM */
async function underS6(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-s6-'))
  chmodSync(dir, 0o755)
  layEtc(dir, TREE)
  await using pid1 = await runAsPid1(['s6-svscan', '/run/service'], {
    prepare: `cp -a ${dir}/services.d /run/service`,
  })
  const file = `/proc/${pid1.pid}/root/run/order`
  try {
    await waitFor('everything to run', () => isRunning(readFileSync(file, 'utf8')))
    const fd = openSync(file, 'r')
    pid1.signal('TERM')
    await pid1.exit({ deadlineMs: 20_000 })
    const order = readFileSync(fd, 'utf8')
    closeSync(fd)
    return order
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function underOurs(): Promise<string> {
  await using box = await startServices({ etc: TREE })
  await waitFor('everything to run', () => isRunning(box.read('/run/order')))
  await box.service('failing', ({ state }) => state === 'parked')
  box.keep(box.path('/run/order'))
  expect(await box.stop()).toEqual({ code: 0 })
  return box.kept()
}

describe.skipIf(why !== undefined)(`the original s6 and ours (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('run the same services.d with the same arguments, signals, ends and log lines', async () => {
    const [theirs, ours] = await Promise.all([underS6(), underOurs()])
    expect(byService(ours)).toEqual(byService(theirs))
    expect(byService(ours)).toMatchObject({
      failing: ['failing starts', 'failing finishes with 3 0 failing', 'failing-log saw the end'],
      slow: ['slow starts as 0, stdin is /dev/null', 'slow stops'],
      off: [],
    })
  })
})
