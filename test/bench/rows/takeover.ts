import { connect } from 'node:net'
import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** A supervisor that has lived this long is started again at once. */
const LIVED_MS = 1300
const WRITES = 'while :; do echo "a line of a slot that is not a short one"; sleep 0.1; done'

/** Ours alone: SIGKILL of the supervisor → the next one answers a client that has connected since. */
export async function takeover(ours: Subject, { quick, say }: Effort): Promise<Row[]> {
  say('control after SIGKILL of the supervisor')
  const rows: Row[] = []
  for (const slots of [1, 20]) {
    const samples = await takeoverOnce(ours, slots, quick ? 2 : 10)
    rows.push({
      title: `control: SIGKILL of the supervisor → answer, ${slots === 1 ? '1 slot' : `${slots} slots that write`}`,
      unit: 'ms',
      budget: 300,
      cells: { [ours.name]: cell(samples) },
    })
  }
  return rows
}

/**
 * Kills the supervisor some times; the slots write when there are several. @returns ms until the next one answers, for
 * each
 */
export async function takeoverOnce(ours: Subject, slots: number, kills: number): Promise<number[]> {
  const body = slots === 1 ? 'exec sleep 1000000' : WRITES
  await using instance = await Instance.start(ours, { slots, body, stdout: 'ignore' })
  await instance.allStarted()
  const socket = `/proc/${instance.pid1.pid}/root/run/hermes/control.sock`
  const samples: number[] = []
  for (let kill = 0; kill < kills; kill++) {
    const pid = await supervisorPid(socket)
    await new Promise((resolve) => setTimeout(resolve, LIVED_MS))
    const killedAtMs = performance.now()
    const outside = instance.pid1.outsidePid(pid)
    if (outside === undefined) throw new Error(`the supervisor (pid ${pid}) is gone by itself`)
    process.kill(outside, 'SIGKILL')
    if ((await supervisorPid(socket)) === pid) throw new Error('the killed supervisor has answered')
    samples.push(performance.now() - killedAtMs)
  }
  return samples
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
