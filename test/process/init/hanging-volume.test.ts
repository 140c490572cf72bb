// A volume on a network mount whose server is gone: each look at it waits without end, and init does its
// other work.
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { letHang, whyNoHangingFile } from '../../support/hostile/hanging-file.ts'
import { scratchDir } from '../../support/scratch.ts'
import { startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { named, whyNotRoot } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNotRoot ?? whyNoNamespace() ?? whyNoHangingFile()

/** Threads of a process that wait for FUSE: before its first answer (state D), or for an answer. */
const waiting = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).filter((thread) => {
    const read = (file: string): string => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'latin1')
    return / D /.test(read('stat').replace(/^.*\)/, '')) || read('wchan') === 'request_wait_answer'
  })

test.skipIf(why !== undefined).each(['looking', 'opening'] as const)(
  named('a volume that hangs at %s the lease holds up neither reaping, nor the main program, nor the stop', why),
  async (what) => {
    const home = scratchDir('hermes-volume-')
    chownSync(home, 10_000, 10_000)
    await using box = await startInit({
      home,
      args: ['sh', '-c', 'trap "exit 7" TERM; trap "echo heard" USR1; echo here; while :; do sleep 0.02; done'],
    })
    await box.supervisor()
    await box.pid1.saw('here')
    await using _ = await letHang(box.pid1.pid, join(home, 'run.lease'), what)
    await waitFor('init to look at the volume', () => waiting(box.pid1.pid).length > 0)

    // Its parent ends before it, so it is init's to reap.
    await box.ok('sh', '-c', '(sleep 0.1; echo >/run/orphan-ends) &')
    await waitFor('the orphan to end', () => existsSync(box.path('/run/orphan-ends')))
    await waitFor('init to reap it', () => box.others().every((name) => !name.startsWith('Z')))
    box.pid1.signal('USR1')
    await box.pid1.saw('heard')
    expect(waiting(box.pid1.pid)).not.toEqual([])

    box.pid1.signal('TERM')
    expect(await box.exit()).toEqual({ code: 7 })
  },
)

test.skipIf(why !== undefined)(
  named('a boot whose volume hangs at the lease says so, and can be stopped', why),
  async () => {
    const home = scratchDir('hermes-volume-')
    const lease = join(home, 'run.lease')
    writeFileSync(lease, '')
    for (const path of [home, lease]) chownSync(path, 10_000, 10_000)
    // Where the namespace of the box takes its mounts from.
    await using _ = await letHang(process.pid, lease)
    await using box = await startInit({ home, args: ['sh', '-c', 'echo never'] })
    await box.supervisor()
    await box.pid1.saw(`${lease}: the volume does not answer; the boot waits for it`)
    box.pid1.signal('TERM')
    expect(await box.exit()).toEqual({ code: 0 })
  },
)
