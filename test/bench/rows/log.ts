import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
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
  const rounds = quick ? 1 : 3
  const cells = await interleaved(able, rounds, (subject) => logOnce(subject, megabytes(subject) * 1e6))
  const cellsOf20 = await interleaved(able, rounds, (subject) => logOnce(subject, megabytes(subject) * 1e6, 20))
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
    { title: 'log path, lines left out of stdout', unit: 'lines', budget: 0, cells: { ...cells('leftOut'), ...none } },
    {
      title: 'log path, 100-byte lines, 20 slots',
      unit: 'MB/s',
      budget: 300,
      more: true,
      cells: { ...cellsOf20('speed'), ...none },
    },
    { title: 'log path, 20 slots, CPU', unit: 'CPU s/GB', budget: 3.5, cells: { ...cellsOf20('cpu'), ...none } },
    {
      title: 'log path, 20 slots, lines left out of stdout',
      unit: 'lines',
      budget: 0,
      cells: { ...cellsOf20('leftOut'), ...none },
    },
  ]
}

/** Figures of one run: MB/s (10^6 bytes), CPU seconds per GB, and lines that are missing in stdout. */
interface LogFigures extends Readonly<Record<string, number>> {
  readonly speed: number
  readonly cpu: number
  readonly leftOut: number
}

/** @param bytes what all slots write together */
export async function logOnce(subject: Subject, bytes: number, slots = 1): Promise<LogFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-bench-out-'))
  const fifo = join(dir, 'stdout')
  const notices = join(dir, 'notices')
  execFileSync('mkfifo', [fifo])
  // It reads as fast as cat does, and keeps the lines that say how many are missing.
  const reader = spawn(
    '/bin/sh',
    ['-c', 'LC_ALL=C exec grep -a --line-buffered -F "lines left out here: " <"$0" >"$1"', fifo, notices],
    { stdio: 'ignore' },
  )
  const stdout = openSync(fifo, constants.O_RDWR)
  try {
    // The second mark comes when the last byte has gone into the pipe. The program then sleeps, so it is
    // not restarted.
    const share = Math.ceil(bytes / slots)
    const body = `yes ${'x'.repeat(99)} | head -c ${share}\necho "${FULL} $$" >"$marks"\nexec sleep 1000000`
    await using instance = await Instance.start(subject, { slots, body, stdout })
    const begun = await instance.marks.when('the slots to start', (seen) => seen[1])
    const cpuBefore = instance.cpuSeconds()
    const full = await instance.marks.when(
      'the lines to be taken',
      (seen) => seen.filter(({ service }) => service === FULL)[slots - 1],
      120_000,
    )
    const seconds = (full.atMs - begun.atMs) / 1000
    const cpu = (instance.cpuSeconds() - cpuBefore) / (bytes / 1e9)
    return { speed: bytes / 1e6 / seconds, cpu, leftOut: leftOutIn(readFileSync(notices, 'latin1')) }
  } finally {
    closeSync(stdout)
    reader.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
}

const leftOutIn = (notices: string): number =>
  [...notices.matchAll(/lines left out here: (\d+)/g)].reduce((sum, [, lines]) => sum + Number(lines), 0)

const FULL = 'full'
