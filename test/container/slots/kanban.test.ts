// The board in the container: three profiles with a real program, killed and restarted in the middle.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, dockerCommand, freshHome, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const PROFILES = ['alpha', 'beta', 'gamma'] as const
const CAP = 2
const TASKS = 200

/** Says when it begins and ends, with the time, and works for a moment. */
const AGENT = `#!/bin/sh
echo "begin $1 $HERMES_PROFILE $(date +%s%N)" >>/opt/data/journal
sleep 0.2
cat
echo "end $1 $HERMES_PROFILE $(date +%s%N)" >>/opt/data/journal
`

function boardHome(): string {
  const home = freshHome()
  const files: Readonly<Record<string, string>> = {
    agent: AGENT,
    journal: '',
    'config.yaml': JSON.stringify({
      kanban: { max_in_progress_per_profile: CAP, dispatch_interval_seconds: 2, failure_limit: 10 },
    }),
    ...Object.fromEntries(
      PROFILES.map((name) => [
        `profiles/${name}/config.yaml`,
        JSON.stringify({
          gateway: { command: ['sleep', '1000000'] },
          agent: { command: ['/opt/data/agent', '{task}'] },
        }),
      ]),
    ),
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(home, path, '..'), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  chmodSync(join(home, 'agent'), 0o755)
  chmodSync(join(home, 'journal'), 0o666)
  return home
}

const json = async <T>(box: Box, ...args: string[]): Promise<T> =>
  JSON.parse(await box.ok('hermes', 'kanban', ...args, '--json')) as T

/** By pid; it may have ended in between. */
const kill = (box: Box, pid: number) => dockerCommand(['exec', box.id, 'kill', '-KILL', String(pid)])

/**
 * Workers by profile, as the container's process table has them: leaders of their process groups. Root may not read
 * their environment.
 */
const SAMPLE = `for p in /proc/[0-9]*; do
  read -r s <"$p/stat" || continue; set -- \${s##*) }; [ "$3" = "\${p#/proc/}" ] || continue
  tr '\\0' ' ' <"$p/cmdline" | grep -q '/opt/data/agent t_' && tr '\\0' '\\n' <"$p/environ" | sed -n 's/^HERMES_PROFILE=//p'
done 2>/dev/null; true`

/**
 * How many workers of one profile overlapped, from the lines `begin|end TASK PROFILE NANOSECONDS`. A killed one has no
 * end and is left out.
 */
function mostAtOnce(journal: readonly string[]): number {
  const spans = journal.flatMap((line, index) => {
    const [kind, task, profile, at] = line.split(' ')
    if (kind !== 'begin') return []
    const next = journal.slice(index + 1).find((later) => later.split(' ')[1] === task)
    return next?.startsWith('end ') ? [{ profile, from: BigInt(at ?? 0), to: BigInt(next.split(' ')[3] ?? 0) }] : []
  })
  return Math.max(
    ...spans.map(
      ({ profile, from }) => spans.filter((one) => one.profile === profile && one.from <= from && from < one.to).length,
    ),
  )
}

test('200 tasks over three profiles are each done once, whatever is killed and restarted', {
  timeout: 600_000,
}, async () => {
  const home = boardHome()
  await using box = await startContainer({ home, command: ['gateway', 'run'] })
  await box.up('gateway-default')
  // One process in the container makes them all: 200 docker execs would take minutes.
  const script = `set -e; for i in $(seq 0 ${TASKS - 1}); do
    p=""; if [ $((i % 5)) = 4 ]; then p="--parent $last"; fi
    who=$(echo alpha beta gamma | cut -d' ' -f$((i % 3 + 1)))
    last=$(hermes kanban create "task $i" --assignee $who --priority $((i % 4)) $p | cut -d' ' -f1)
  done`
  await box.ok('sh', '-c', script)
  let most = 0
  const done = async (): Promise<number> => {
    const seen = await dockerCommand(['exec', '--user', 'hermes', box.id, 'sh', '-c', SAMPLE])
    for (const name of PROFILES) most = Math.max(most, seen.stdout.split('\n').filter((line) => line === name).length)
    return (await json<{ statuses: Record<string, number> }>(box, 'stats')).statuses.done ?? 0
  }
  const reach = (n: number) =>
    waitFor(`${n} tasks to be done`, async () => (await done()) >= n, { deadlineMs: 300_000 })

  await reach(20)
  const { pid } = JSON.parse(await box.ok('hermes', 'healthcheck', '--json')) as { pid: number }
  await kill(box, pid)
  await reach(50)
  await dockerCommand(['restart', box.id])
  await reach(80)
  const [worker] = await json<{ worker_pid?: number }[]>(box, 'list', '--status', 'running', '--limit', '1')
  if (worker?.worker_pid !== undefined) await kill(box, worker.worker_pid)
  await reach(110)
  const gateway = await box.up('gateway-default')
  if (gateway.pid !== undefined) await kill(box, gateway.pid)
  await reach(TASKS)

  expect(most, 'in the process table, whenever we looked').toBeLessThanOrEqual(CAP)
  const journal = readFileSync(join(home, 'journal'), 'utf8').split('\n')
  expect(mostAtOnce(journal), 'by their own account, at every instant').toBe(CAP)
  const ends = journal.filter((line) => line.startsWith('end ')).map((line) => line.split(' ')[1])
  expect(ends).toHaveLength(TASKS)
  expect(new Set(ends).size).toBe(TASKS)
  const tasks = await json<{ id: string; failures: number }[]>(box, 'list', '--limit', String(TASKS))
  expect(tasks.filter(({ failures }) => failures > 0)).toEqual([])
  const events = await json<{ kind: string }[]>(box, 'watch', '--no-follow', '--lines', '10000')
  expect(events.filter(({ kind }) => kind === 'completed')).toHaveLength(TASKS)
  expect(events.filter(({ kind }) => kind === 'crashed').length, 'the one worker that we killed').toBeLessThanOrEqual(1)
})

test('the board belongs to hermes, and the workers run as hermes', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    files: {
      'config.yaml': JSON.stringify({
        agent: { command: ['sh', '-c', 'id -un; pwd'] },
        kanban: { default_assignee: 'default', dispatch_interval_seconds: 1 },
      }),
    },
  })
  await box.up('gateway-default')
  const { id } = await json<{ id: string }>(box, 'create', 'who are you')
  const task = await waitFor('the task to be done', async () => {
    const seen = await json<{ status: string; result?: string }>(box, 'show', id)
    return seen.status === 'done' && seen
  })
  expect(task.result).toBe(`hermes\n/opt/data/workspace/${id}`)
  expect((await box.ok('stat', '-c', '%U %a', '/opt/data/kanban.db')).trim()).toBe('hermes 600')
})
