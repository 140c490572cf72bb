import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Instance } from '../instance.ts'
import { logPath } from '../log-path.ts'
import { cell, type Effort, interleaved, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/**
 * One slot writes 100-byte lines as fast as they are taken; every subject keeps rotated files, and those that can also
 * stamp and copy to PID 1's standard output, which `cat` reads. The whole path: slot → pipe → supervisor → file and
 * stdout.
 */
export async function log(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('log path')
  // Python and pm2 take a few MB/s: less is enough to see that, and more would take the rest of the hour.
  const megabytes = (subject: Subject): number =>
    quick ? 20 : ({ hermes: 600, 's6+s6-log': 300, supervisord: 300 }[subject.name] ?? 40)
  const able = subjects.filter(({ name }) => name !== 's6' && name !== 'runit')
  const cells = await interleaved(able, quick ? 1 : 3, (subject) => logOnce(subject, megabytes(subject) * 1e6))
  const none = { s6: { missing: 'has no log of its own: s6+s6-log' }, runit: { missing: 'has no log of its own' } }
  const alone = await logPath({ bytes: quick ? 100e6 : 1e9 })
  const ours = (value: number): Row['cells'] => ({ hermes: cell([value]) })
  return [
    {
      title: 'log path alone, in one process',
      unit: 'MB/s',
      budget: 300,
      more: true,
      cells: ours(alone.bytesPerS / 1e6),
    },
    { title: 'log path alone, CPU', unit: 'CPU s/GB', budget: 3.5, cells: ours(alone.cpuSPerGb) },
    {
      title: 'log path, 100-byte lines, one slot',
      unit: 'MB/s',
      budget: 300,
      more: true,
      cells: { ...cells('speed'), ...none },
    },
    { title: 'log path, CPU', unit: 'CPU s/GB', budget: 3.5, cells: { ...cells('cpu'), ...none } },
  ]
}

/** One slot writes `bytes`. @returns `speed` in MB/s (10^6 bytes), `cpu` in CPU seconds per GB */
export async function logOnce(subject: Subject, bytes: number): Promise<{ speed: number; cpu: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-bench-out-'))
  const fifo = join(dir, 'stdout')
  execFileSync('mkfifo', [fifo])
  const reader = spawn('/bin/sh', ['-c', 'exec cat <"$0" >/dev/null', fifo], { stdio: 'ignore' })
  const stdout = openSync(fifo, constants.O_RDWR)
  try {
    // The second mark comes when the last byte has gone into the pipe. It waits for the third's reader, and is not
    // restarted.
    const body = `yes ${'x'.repeat(99)} | head -c ${bytes}\necho "${FULL} $$" >"$marks"\nexec sleep 1000000`
    await using instance = await Instance.start(subject, { slots: 1, body, stdout })
    const begun = await instance.marks.when('the slot to start', (seen) => seen[1])
    const cpuBefore = instance.cpuSeconds()
    const full = await instance.marks.when(
      'the lines to be taken',
      (seen) => seen.find((mark) => mark.service === FULL),
      120_000,
    )
    const seconds = (full.atMs - begun.atMs) / 1000
    return { speed: bytes / 1e6 / seconds, cpu: (instance.cpuSeconds() - cpuBefore) / (bytes / 1e9) }
  } finally {
    closeSync(stdout)
    reader.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
}

const FULL = 'full'
