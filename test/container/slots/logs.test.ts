import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { docker } from '../../support/container/engine.ts'
import { size } from '../../support/size.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const current = 'logs/gateways/default/current'
const runs = (config: string, more: Record<string, string> = {}) => ({
  'config.yaml': config,
  desired_state: 'running\n',
  ...more,
})

test("a gateway's lines are in docker logs raw, and in current with a stamp before each", async () => {
  await using box = await startContainer({
    files: runs(gatewayOf('/bin/sh', '-c', 'echo to stdout; echo to stderr >&2; exec sleep 1000')),
  })
  await box.saw(/^to stderr$/)
  expect((await box.logs()).stdout).toBe('to stdout\nto stderr\n')
  await waitFor('both lines in current', () =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z to stdout\n\S+Z to stderr\n$/.test(box.file(current) ?? ''),
  )
})

test('HERMES_LOG_PREFIX=1 says in docker logs whose line it is; current is as before', async () => {
  await using box = await startContainer({ env: { HERMES_LOG_PREFIX: '1' }, files: runs(lives('hello')) })
  await box.saw(/^\[gateway-default\] hello$/)
  await waitFor('the line in current', () => /Z hello\n$/.test(box.file(current) ?? ''))
})

test('LOG_FORMAT=json-all makes every line of docker logs JSON, of slots and of hermes; current is as before', async () => {
  await using box = await startContainer({ env: { LOG_FORMAT: 'json-all' }, files: runs(lives('hello \\"you\\"')) })
  await box.saw(/"slot":"gateway-default"/)
  await box.stop()
  const { stdout, stderr } = await box.logs()
  const objects = `${stdout}${stderr}`
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  const ofSlot = objects.filter(({ slot }) => slot === 'gateway-default')
  expect(ofSlot.map(({ line }) => line)).toContain('hello "you"')
  for (const { time } of objects) expect(time).toMatch(/^\d{4}-.*Z$/)
  expect(objects.some(({ message, level }) => message !== undefined && level !== undefined)).toBe(true)
  expect(box.file(current)).toMatch(/Z hello "you"\n/)
})

test('tail -F on the host goes on across rotation, and old archives are deleted', async () => {
  const config = `${gatewayOf('/bin/sh', '-c', 'seq -f "line %.0f" 1 40000; echo all written; exec sleep 1000')}logging:\n  max_bytes: 262144\n  archives: 3\n`
  await using box = await startContainer({ files: runs(config, { 'logs/gateways/default/current': '' }) })
  const tail = spawn('tail', ['-n', '+1', '-F', join(box.home, current)], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    let seen = ''
    tail.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
    })
    await waitFor('tail -F to show the last line', () => seen.includes('Z all written\n'))
  } finally {
    tail.kill()
  }
  const dir = join(box.home, 'logs/gateways/default')
  const archives = (): string[] => readdirSync(dir).filter((name) => /^\d{8}T\d{6}\.\d{3}Z\.log$/.test(name))
  // The oldest ones go after the rotation.
  await waitFor('three archives', () => archives().length === 3)
  const files = readdirSync(dir).sort()
  for (const name of files)
    expect((box.file(join('logs/gateways/default', name)) ?? '').length).toBeLessThanOrEqual(262_144)
  // Nothing is lost between the files that are left.
  const numbers = files.flatMap((name) =>
    [...(box.file(join('logs/gateways/default', name)) ?? '').matchAll(/Z line (\d+)\n/g)].map(([, n]) => Number(n)),
  )
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 40_001 - numbers.length + index))
})

test('a gateway that writes at full speed has every line in docker logs, while the daemon reads', async () => {
  const lines = size(200_000, 2_000_000) // of 100 bytes
  const script = `seq -f '%099.0f' 1 ${lines}; echo finished; exec sleep 1000`
  await using box = await startContainer({ files: runs(gatewayOf('/bin/sh', '-c', script)) })
  await waitFor('the last line in current', () => box.file(current)?.endsWith('Z finished\n'), { deadlineMs: 120_000 })
  await waitFor(
    'the last line in docker logs',
    async () => (await docker(['logs', '--tail', '1', box.id])) === 'finished',
    {
      deadlineMs: 60_000,
    },
  )
  const { numbers, others } = await numbersOf(box.id)
  expect(others).toEqual(['finished'])
  expect(numbers).toBe(lines)
})

test.each([{ tty: false }, { tty: true }])(
  'a docker attach that does not read stalls nothing: the file is complete, control answers (tty: $tty)',
  async ({ tty }) => {
    const script =
      'until [ -e go ]; do echo waiting; sleep 0.05; done; yes "$(printf %99s)" | head -n 300000; echo finished; exec sleep 1000'
    await using box = await startContainer({
      tty,
      command: ['gateway', 'run'],
      files: runs(gatewayOf('/bin/sh', '-c', script)),
    })
    await box.saw('waiting')
    const attached = spawn('docker', ['attach', '--no-stdin', '--sig-proxy=false', box.id], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      await once(attached.stdout, 'readable') // it is attached; from here on it is not read
      writeFileSync(join(box.home, 'go'), '')
      await waitFor('the last line in current', () => box.file(current)?.endsWith('Z finished\n'), {
        deadlineMs: 60_000,
      })
      await box.up('gateway-default')
      const startedAtMs = performance.now()
      expect((await box.hermes('gateway', 'status')).code).toBe(0)
      expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(3000))
    } finally {
      attached.kill('SIGKILL')
    }
  },
)

test('hermes logs shows what current holds, and follows', async () => {
  await using box = await startContainer({ files: runs(lives('first line')) })
  await box.up('gateway-default')
  await waitFor('the line', async () => (await box.ok('hermes', 'logs')).includes('first line'))
})

/** Reads `docker logs`: how many numbers there are, which must go up by one each, and the other lines. */
async function numbersOf(id: string): Promise<{ numbers: number; others: string[] }> {
  const logs = spawn('docker', ['logs', id], { stdio: ['ignore', 'pipe', 'ignore'] })
  let numbers = 0
  const others: string[] = []
  for await (const line of createInterface(logs.stdout)) {
    if (Number(line) === numbers + 1) numbers++
    else others.push(line)
  }
  return { numbers, others: others.slice(0, 10) }
}
