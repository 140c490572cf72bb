import { connect } from 'node:net'
import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import { quantile } from '../statistics.ts'
import type { Subject } from '../subject.ts'

/** Round trips on ours' control socket while 50 slots log at full speed. */
export async function latency(ours: Subject, { quick, say }: Effort): Promise<Row[]> {
  say('control latency under load')
  const slots = quick ? 5 : 50
  await using instance = await Instance.start(ours, { slots, body: `exec yes ${'x'.repeat(99)}`, stdout: 'ignore' })
  await instance.allStarted()
  // The socket lies in the namespace's own /run; /proc leads there from outside.
  const samples = await roundTrips(`/proc/${instance.pid1.pid}/root/run/hermes/control.sock`, quick ? 50 : 500)
  const title = `control: status while ${slots} slots log at full speed`
  return [
    { title: `${title}, median`, unit: 'ms', budget: null, cells: { [ours.name]: cell(samples) } },
    { title: `${title}, p99`, unit: 'ms', budget: 30, cells: { [ours.name]: cell([quantile(samples, 0.99)]) } },
  ]
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
