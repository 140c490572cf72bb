import { connect } from 'node:net'
import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** A supervisor that has lived this long is started again at once. */
const LIVED_MS = 1300
const WRITES = 'while :; do echo "a line of a slot that is not a short one"; sleep 0.1; done'

/** Ours alone: SIGKILL of the supervisor → the next one answers a client that has connected meanwhile. */
export async function takeover(ours: Subject, { quick, say }: Effort): Promise<Row[]> {
  say('control after SIGKILL of the supervisor')
  const rows: Row[] = []
  for (const { slots, body, what } of [
    { slots: 1, body: 'exec sleep 1000000', what: '1 slot' },
    { slots: 20, body: WRITES, what: '20 slots that write' },
  ]) {
    await using instance = await Instance.start(ours, { slots, body, stdout: 'ignore' })
    await instance.allStarted()
    const socket = `/proc/${instance.pid1.pid}/root/run/hermes/control.sock`
    const samples: number[] = []
    for (let kill = 0; kill < (quick ? 2 : 10); kill++) {
      const pid = await supervisorPid(socket)
      await new Promise((resolve) => setTimeout(resolve, LIVED_MS))
      const killedAtMs = performance.now()
      const outside = instance.pid1.outsidePid(pid)
      if (outside === undefined) throw new Error(`the supervisor (pid ${pid}) is gone by itself`)
      process.kill(outside, 'SIGKILL')
      if ((await supervisorPid(socket)) === pid) throw new Error('the killed supervisor has answered')
      samples.push(performance.now() - killedAtMs)
    }
    rows.push({
      title: `control: SIGKILL of the supervisor → answer, ${what}`,
      unit: 'ms',
      budget: 300,
      cells: { [ours.name]: cell(samples) },
    })
  }
  return rows
}

/** As the supervisor that answers knows its own pid. A connection that its death cuts is made again. */
async function supervisorPid(path: string): Promise<number> {
  for (;;) {
    const pid = await new Promise<number | undefined>((resolve) => {
      const socket = connect(path, () => socket.write(`${JSON.stringify({ v: 1, id: 1, op: 'ping' })}\n`))
      let held = ''
      socket.on('data', (chunk: Buffer) => {
        held += chunk.toString()
        if (!held.endsWith('\n')) return
        resolve((JSON.parse(held) as { result: { pid: number } }).result.pid)
        socket.destroy()
      })
      socket.on('error', () => undefined) // ECONNRESET: it died with us in its queue
      socket.on('close', () => resolve(undefined))
    })
    if (pid !== undefined) return pid
  }
}
