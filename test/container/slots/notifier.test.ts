// Events that only a container has: the kernel kills a process for want of memory, and a file system for logs is full.
import { expect, test } from 'vitest'
import type { Notification } from '../../../src/notify/notification.ts'
import { gatewayOf, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

test('a gateway that the kernel kills for want of memory, and lines that no file can take, are reported', async () => {
  const ops = { name: 'ops', to: 'exec', command: ['sh', '-c', 'cat >>messages; echo >>messages'] }
  await using box = await startContainer({
    memory: 400_000_000,
    tmpfs: { '/opt/data/logs': 'size=2m' },
    files: {
      'config.yaml': JSON.stringify({ notify: [{ ...ops, events: ['oom', 'lines_lost'] }] }),
      // It has one line, which does not end. Where the engine limits no memory, it fails at 2 GB.
      'profiles/eats/config.yaml': gatewayOf('sh', '-c', 'ulimit -v 2000000; exec tail /dev/zero'),
      'profiles/eats/desired_state': 'running\n',
      'profiles/loud/config.yaml': gatewayOf(
        'sh',
        '-c',
        'yes "a line that fills the disk" | head -n 200000; exec sleep 1000000',
      ),
      'profiles/loud/desired_state': 'running\n',
    },
  })
  const messages = async (): Promise<Notification[]> => {
    const text = (await box.exec(['cat', '/opt/data/messages'])).stdout
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  }
  const seen = async (event: string) =>
    waitFor(`a message of ${event}`, async () => (await messages()).find((one) => one.event === event), {
      deadlineMs: 120_000,
    })
  expect(await seen('oom')).toMatchObject({
    severity: 'error',
    slot: 'gateway-eats',
    profile: 'eats',
    text: expect.stringMatching(/^gateway-eats was killed: the container is out of memory: the kernel has killed /),
  })
  expect(await seen('lines_lost')).toMatchObject({
    severity: 'error',
    text: expect.stringMatching(
      /^\d+ lines? of output could not be written to log files; .*: df -h \/opt\/data\/logs$/,
    ),
  })
})
