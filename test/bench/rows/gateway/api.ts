// The built-in gateway's API server: requests a second, and what a proxied answer costs over the endpoint's own time.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startUpstream } from '../../../support/dashboard/openai-upstream.ts'
import { freePort } from '../../../support/port.ts'
import { waitFor } from '../../../support/wait.ts'
import { cell, type Effort, type Row } from '../../row.ts'
import { median } from '../../statistics.ts'

/** @param install tree with bin/ and lib/ */
export async function gatewayApi(install: string, { quick, say }: Effort): Promise<Row[]> {
  say('API server of the built-in gateway')
  await using upstream = await startUpstream({ do: 'answer', pieces: ['Hello', ', ', 'world'] })
  const openai = { base_url: upstream.baseUrl, model: 'small', api_key_env: 'NONE' }
  await using gateway = await start(install, { agent: { openai } }, true)
  await using bare = await start(install, {}, false)
  const perSecond = await rate(gateway.port, quick ? 300 : 3000)
  const overhead = await overheads(gateway.port, Number(new URL(upstream.baseUrl).port), quick ? 20 : 400)
  const ours = (sample: number): Row['cells'] => ({ hermes: cell([sample]) })
  return [
    { title: 'API server: /health on one core', unit: 'req/s', budget: 1000, more: true, cells: ours(perSecond) },
    {
      title: 'API server: a chat answer over the endpoint’s own time',
      unit: 'ms',
      budget: 3,
      cells: ours(overhead.whole),
    },
    { title: 'API server: likewise streamed, to its end', unit: 'ms', budget: 3, cells: ours(overhead.streamed) },
    { title: 'gateway without an API server, PSS', unit: 'MB', budget: null, cells: ours(pssMb(bare.pid)) },
    { title: 'gateway with one, after these requests, PSS', unit: 'MB', budget: null, cells: ours(pssMb(gateway.pid)) },
  ]
}

interface Started extends AsyncDisposable {
  readonly pid: number
  readonly port: number
}

async function start(install: string, config: unknown, api: boolean): Promise<Started> {
  const home = mkdtempSync(join(tmpdir(), 'hermes-bench-'))
  writeFileSync(join(home, 'config.yaml'), JSON.stringify(config))
  const port = await freePort()
  const args = [join(install, 'bin', 'hermes'), 'gateway', 'run']
  // One core for the gateway: the client and the endpoint have the others.
  const pinned = spawnSync('taskset', ['-c', '0', 'true']).status === 0 ? ['taskset', '-c', '0', ...args] : args
  const child: ChildProcess = spawn(pinned[0] ?? '', pinned.slice(1), {
    env: {
      PATH: process.env.PATH,
      HERMES_HOME: home,
      HERMES_SUPERVISED: '1',
      HERMES_DOCKER_EXEC_AS_ROOT: '1',
      ...(api ? { API_SERVER_ENABLED: '1', API_SERVER_PORT: String(port) } : {}),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let ready = false
  child.stdio[3]?.once('data', () => {
    ready = true
  })
  await waitFor('the gateway to be ready', () => ready)
  return {
    pid: child.pid ?? 0,
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const CONNECTIONS = 16
const HEALTH = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** Requests a second over kept connections, each of which asks again when it has its answer. */
async function rate(port: number, durationMs: number): Promise<number> {
  let answers = 0
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(HEALTH))
    socket.on('data', (chunk: Buffer) => {
      // One request is on its way at a time, so each status line is one answer, in however many segments it comes.
      if (!chunk.includes('HTTP/1.1 200')) return
      answers += 1
      socket.write(HEALTH)
    })
    return socket
  })
  // The first ones warm the compiler up.
  await waitFor('the first answers', () => answers > 500, { deadlineMs: 30_000 })
  const before = answers
  const startedAtMs = performance.now()
  await waitFor('the time to pass', () => performance.now() - startedAtMs >= durationMs, { deadlineMs: 60_000 })
  const perSecond = ((answers - before) * 1000) / (performance.now() - startedAtMs)
  for (const socket of sockets) socket.destroy()
  return perSecond
}

/** The same requests to the endpoint and through the gateway, in turn: differences of the medians. */
async function overheads(port: number, endpoint: number, rounds: number): Promise<{ whole: number; streamed: number }> {
  const agent = new Agent({ keepAlive: true })
  const samples = {
    direct: [] as number[],
    through: [] as number[],
    directStream: [] as number[],
    throughStream: [] as number[],
  }
  for (let round = -20; round < rounds; round++) {
    const direct = await ask(agent, endpoint, false)
    const through = await ask(agent, port, false)
    const directStream = await ask(agent, endpoint, true)
    const throughStream = await ask(agent, port, true)
    if (round < 0) continue
    samples.direct.push(direct)
    samples.through.push(through)
    samples.directStream.push(directStream)
    samples.throughStream.push(throughStream)
  }
  agent.destroy()
  return {
    whole: median(samples.through) - median(samples.direct),
    streamed: median(samples.throughStream) - median(samples.directStream),
  }
}

/** @returns ms from the request to the end of its answer */
function ask(agent: Agent, port: number, stream: boolean): Promise<number> {
  const body = JSON.stringify({ model: 'small', stream, messages: [{ role: 'user', content: 'Hi' }] })
  const startedAtMs = performance.now()
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/chat/completions' })
    outgoing.on('response', (incoming) => {
      incoming.resume()
      incoming.on('end', () => {
        if (incoming.statusCode === 200) resolve(performance.now() - startedAtMs)
        else reject(new Error(`status ${incoming.statusCode}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const pssMb = (pid: number): number =>
  Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? Number.NaN) / 1000
