import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import { quantile } from '../statistics.ts'
import type { Subject } from '../subject.ts'

/**
 * Round trips on ours' control socket while 50 slots log at full speed, and while the container's stdout is not read.
 */
export async function latency(ours: Subject, { quick, say }: Effort): Promise<Row[]> {
  say('control latency under load')
  const slots = quick ? 5 : 50
  const count = quick ? 50 : 500
  const loud = await whileLogging(ours, slots, count, 'ignore')
  const stalled = await stalledStdout((stdout) => whileLogging(ours, 1, count, stdout))
  const title = `control: status while ${slots} slots log at full speed`
  const row = (name: string, budget: number | null, samples: readonly number[]): Row => ({
    title: name,
    unit: 'ms',
    budget,
    cells: { [ours.name]: cell(samples) },
  })
  return [
    row(`${title}, median`, null, loud),
    row(`${title}, p99`, 30, [quantile(loud, 0.99)]),
    row('control: status while nobody reads stdout, p99', 50, [quantile(stalled, 0.99)]),
  ]
}

async function whileLogging(
  ours: Subject,
  slots: number,
  count: number,
  stdout: number | 'ignore',
): Promise<readonly number[]> {
  await using instance = await Instance.start(ours, { slots, body: `exec yes ${'x'.repeat(99)}`, stdout })
  await instance.allStarted()
  // The socket lies in the namespace's own /run; /proc leads there from outside.
  return await roundTrips(`/proc/${instance.pid1.pid}/root/run/hermes/control.sock`, count)
}

/** A pipe that fills and is never read. */
async function stalledStdout<T>(use: (fd: number) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-bench-out-'))
  const fifo = join(dir, 'stdout')
  execFileSync('mkfifo', [fifo])
  const fd = openSync(fifo, constants.O_RDWR)
  try {
    return await use(fd)
  } finally {
    closeSync(fd)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Of a control socket: what one `status` after the other takes, ms. */
export function roundTrips(path: string, count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const samples: number[] = []
    const socket = connect(path)
    let sentAtMs = 0
    let held = ''
    const send = (): void => {
      sentAtMs = performance.now()
      socket.write(`${JSON.stringify({ v: 1, id: samples.length, op: 'status' })}\n`)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      held += chunk.toString()
      if (!held.endsWith('\n')) return
      held = ''
      samples.push(performance.now() - sentAtMs)
      if (samples.length < count) return send()
      socket.destroy()
      resolve(samples)
    })
  })
}
