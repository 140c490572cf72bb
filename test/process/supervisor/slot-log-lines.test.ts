import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logLines, startHermes } from '../../support/hermes.ts'
import { waitFor } from '../../support/wait.ts'

test('a slot killed 100 times while it writes keeps every line, in order, in files of at most 1,000,000 bytes', {
  timeout: 300_000,
}, async () => {
  // 7-digit numbers in 1,000-byte lines: each life writes about 150 kB, so a hundred lives rotate through more than ten
  // archives.
  const program =
    'n=0; [ -s "$1" ] && read -r n <"$1"; pad=$(printf "%0980d" 0); i=0; while [ $i -lt 150 ]; do n=$((n+1)); i=$((i+1)); printf "line %07d %s\\n" $n $pad; done; echo $n >"$1"; kill -KILL $$'
  await using hermes = await startHermes({
    profiles: [
      {
        name: 'writer',
        gateway: { command: ['sh', '-c', program, 'sh', 'number'], restart_delay: { first: '1ms', max: '1ms' } },
      },
    ],
  })
  const dir = join(hermes.home, 'logs', 'gateways', 'writer')
  await waitFor('a hundred deaths', async () => ((await hermes.slot('gateway-writer'))?.restarts ?? 0) >= 100, {
    deadlineMs: 120_000,
  })
  await hermes.control((client) => client.request('stop', { slot: 'gateway-writer', wait: true }))
  const archives = readdirSync(dir).filter((name) => name.endsWith('.log'))
  expect(archives).toHaveLength(10)
  for (const name of [...archives, 'current'])
    expect(readFileSync(join(dir, name)).length, name).toBeLessThanOrEqual(1_000_000)
  const numbers = logLines(hermes.home, 'writer')
    .map((line) => / line (\d{7}) 0{980}$/.exec(line)?.[1])
    .map(Number)
  const first = numbers[0] as number
  expect(first, 'the oldest archives are gone').toBeGreaterThan(1)
  expect(numbers.length).toBeGreaterThan(9_000)
  expect(numbers).toEqual(numbers.map((_, i) => first + i))
})
