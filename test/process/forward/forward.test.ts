// Log lines on their way to other servers: real init, supervisor and forwarder, a real TCP server and a web server.
import { appendFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as command } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { startReceiver } from '../../support/notify/receiver.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const patient = { deadlineMs: 60_000 }

test('every line reaches a syslog server and a Loki that fails twice, in order, also after the forwarder was killed', {
  timeout: 400_000,
}, async () => {
  await using loki = await startReceiver((response, count) => {
    response.writeHead(count <= 2 ? 503 : 204).end()
  })
  await using syslog = await startSyslog()
  const home = quickScratchDir('hermes-forward-')
  mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
  const orders = join(home, 'profiles', 'coder', 'orders')
  appendFileSync(orders, '')
  await using hermes = await startHermes({
    home,
    keepHome: true,
    profiles: [
      {
        name: 'default',
        gateway: { command: ['sleep', '100000'], ready_after: '50ms' },
        forward: [
          { name: 'loki', to: 'loki', url: loki.url, labels: { env: 'test' } },
          { name: 'box', to: 'syslog', url: `tcp://127.0.0.1:${syslog.port}`, profiles: ['coder'] },
        ],
      },
      // It prints what is written to the file.
      { name: 'coder', gateway: { command: ['tail', '-n', '+1', '-f', 'orders'], ready_after: '50ms' } },
    ],
  })
  const cli = (...args: readonly string[]) => command(args, { home, env: { HERMES_RUN_DIR: hermes.runDir } })
  const upPid = async (slot: string, not?: number): Promise<number | undefined> => {
    const seen = await hermes.slot(slot)
    return seen?.state === 'up' && seen.pid !== not ? seen.pid : undefined
  }
  const first = await waitFor('the forwarder to be up', () => upPid('forwarder'), patient)
  const gateway = await waitFor('the gateway to be up', () => upPid('gateway-coder'), patient)
  const listed = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse((await cli('forward', 'list', '--json')).stdout).targets

  const streams = () =>
    loki.requests
      .slice(2)
      .flatMap(({ body }) => JSON.parse(body).streams as { stream: Record<string, string>; values: string[][] }[])
      .filter(({ stream }) => stream.slot === 'gateway-coder')
  const atLoki = () => unique(streams().flatMap(({ values }) => values.map(([, text]) => `${text}`))).filter(isOrdered)
  const atSyslog = () => unique(syslog.messages().map((message) => message.split(' - - - ')[1] ?? '')).filter(isOrdered)

  appendFileSync(orders, 'order 1\nERROR: order 2\n')
  const two = ['order 1', 'ERROR: order 2']
  await waitFor('two lines at both', () => atLoki().length === 2 && atSyslog().length === 2, patient)
  expect([atLoki(), atSyslog()]).toEqual([two, two])
  expect(loki.requests.length).toBeGreaterThan(2)
  expect(loki.requests[0]?.path).toBe('/hook/loki/api/v1/push')
  expect(streams()[0]?.stream).toMatchObject({ job: 'hermes', slot: 'gateway-coder', profile: 'coder', env: 'test' })
  expect(syslog.messages().find((message) => message.includes('order 2'))).toMatch(
    /^<27>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ gateway-coder - - - ERROR: order 2$/,
  )

  // Lines of the time without a forwarder are sent by the next one; the log path has not noticed anything.
  process.kill(first, 'SIGKILL')
  appendFileSync(orders, 'order 3\norder 4\n')
  await waitFor('another forwarder', () => upPid('forwarder', first), patient)
  appendFileSync(orders, 'order 5\n')
  const five = [...two, 'order 3', 'order 4', 'order 5']
  await waitFor('five lines at both', () => atLoki().length === 5 && atSyslog().length === 5, patient)
  expect([atLoki(), atSyslog()]).toEqual([five, five])
  expect(await upPid('gateway-coder')).toBe(gateway)

  const [ofLoki, ofBox] = await waitFor(
    'the counts',
    async () => {
      const found = await listed()
      return found.every(({ lines_sent: sent }) => (sent as number) >= 5) && found
    },
    patient,
  )
  expect(ofLoki).toMatchObject({ name: 'loki', url: '****', lines_refused: 0, gaps: 0, lost_bytes: 0 })
  expect(ofBox).toMatchObject({ name: 'box', profiles: ['coder'], lines_refused: 0, gaps: 0 })
  expect((await cli('forward', 'list')).stdout).toMatch(
    /^NAME +TO +SENT +REFUSED +LOST +LAST SENT\nloki +loki +\d+ +0 +0 +/,
  )

  // Without a target there is no forwarder.
  expect((await cli('config', 'set', 'forward', '[]')).code).toBe(0)
  await waitFor('the forwarder to go down', async () => (await hermes.slot('forwarder'))?.state === 'down', patient)
  expect(readdirSync(home)).toContain('forward.db')
  expect(existsSync(join(home, 'logs', 'helpers', 'forwarder', 'current'))).toBe(true)
})

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)]
const isOrdered = (text: string): boolean => text.includes('order ')

/** A server that takes messages with counted octets (RFC 6587). */
async function startSyslog() {
  const chunks: Buffer[][] = []
  const server = createServer((socket) => {
    const own: Buffer[] = []
    chunks.push(own)
    socket.on('data', (chunk: Buffer) => own.push(chunk)).on('error', () => undefined)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    messages: (): readonly string[] => chunks.flatMap((own) => messagesIn(Buffer.concat(own))),
    async [Symbol.asyncDispose]() {
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** The whole ones; a connection may have been cut. */
function messagesIn(bytes: Buffer): readonly string[] {
  const messages: string[] = []
  for (let at = 0; ; ) {
    const space = bytes.indexOf(' ', at)
    const end = space + 1 + Number(bytes.toString('latin1', at, space))
    if (space === -1 || end > bytes.length) return messages
    messages.push(bytes.toString('utf8', space + 1, end))
    at = end
  }
}
