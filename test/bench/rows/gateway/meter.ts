// The meter: the time that it adds to an answer, against the endpoint asked directly in the same round.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { startUpstream } from '../../../support/dashboard/openai-upstream.ts'
import { startHermes } from '../../../support/hermes.ts'
import { freePort } from '../../../support/port.ts'
import { waitFor } from '../../../support/wait.ts'
import { cell, type Effort, type Row } from '../../row.ts'

/** Writes its environment, where the address and the token are, and stays. */
const GATEWAY = [
  'sh',
  '-c',
  'env >"$HERMES_HOME/env.new" && mv "$HERMES_HOME/env.new" "$HERMES_HOME/env"; exec sleep 1000000',
]
/** Rounds before the compiler has seen enough. */
const WARM_UP = 50

/** @param install tree with bin/ and lib/ */
export async function meter(install: string, { quick, say }: Effort): Promise<Row[]> {
  say('meter: the time it adds to an answer')
  await using upstream = await startUpstream({ do: 'answer', pieces: ['Hello', ', ', 'world'] })
  const openai = { base_url: upstream.baseUrl, model: 'gpt-4o', api_key_env: 'NONE' }
  const budget = { usd: 1_000_000, tokens: 1_000_000_000 }
  await using hermes = await startHermes({
    profiles: [{ name: 'default', gateway: { command: GATEWAY }, agent: { openai }, budget }],
    install,
    env: { HERMES_METER_PORT: String(await freePort()) },
  })
  await waitFor('the meter to be ready', async () => (await hermes.slot('meter'))?.ready === true, {
    deadlineMs: 60_000,
  })
  const text = await waitFor('the environment of the gateway', () => textOf(join(hermes.home, 'env')), {
    deadlineMs: 60_000,
  })
  const variable = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
  const direct = { url: upstream.baseUrl, token: 'none' }
  const metered = { url: variable('OPENAI_BASE_URL'), token: variable('OPENAI_API_KEY') }
  const added = { whole: [] as number[], streamed: [] as number[] }
  const agent = new Agent({ keepAlive: true })
  for (let round = -WARM_UP; round < (quick ? 20 : 400); round++) {
    for (const kind of ['whole', 'streamed'] as const) {
      const before = await ask(agent, direct, kind === 'streamed')
      const through = await ask(agent, metered, kind === 'streamed')
      if (round >= 0) added[kind].push(through - before)
    }
  }
  agent.destroy()
  return [
    { title: 'meter: added to an answer', unit: 'ms', budget: 3, cells: { hermes: cell(added.whole) } },
    { title: 'meter: likewise streamed, to its end', unit: 'ms', budget: 3, cells: { hermes: cell(added.streamed) } },
  ]
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // not yet there
  }
}

/** @returns ms from the request to the end of its answer */
function ask(agent: Agent, { url, token }: { url: string; token: string }, stream: boolean): Promise<number> {
  const body = JSON.stringify({ model: 'gpt-4o', stream, messages: [{ role: 'user', content: 'Hi' }] })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const startedAtMs = performance.now()
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/chat/completions`, { agent, method: 'POST', headers }, (incoming) => {
      incoming.resume()
      incoming.on('error', reject)
      incoming.on('end', () => {
        if (incoming.statusCode === 200) resolve(performance.now() - startedAtMs)
        else reject(new Error(`status ${incoming.statusCode}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
