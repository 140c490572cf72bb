import { expect, test } from 'vitest'
import { readAccount } from './account.ts'
import { type CheckedEvent, check, type StormFacts, type Violation } from './checker.ts'

/** The log of a storm, written line by line: each event and each worker's word takes one millisecond more. */
class Log {
  readonly #events: CheckedEvent[] = []
  readonly #tasks = new Map<string, { id: string; status: string; failures: number; last_error: string | null }>()
  readonly #runs: {
    id: number
    task_id: string
    profile: string
    outcome: string | null
    ended_at: number | null
    error: null
  }[] = []
  readonly #accounts = new Map<string, string>()
  readonly #made = new Map<string, { once: boolean }>()
  readonly links: { parent: string; child: string }[] = []
  readonly pauses: { node: string; fromMs: number; toMs: number }[] = []
  atMs = 1_000_000

  make(id: string, { once = false } = {}): void {
    this.#made.set(id, { once })
    this.#tasks.set(id, { id, status: 'ready', failures: 0, last_error: null })
  }
  lose(id: string): void {
    this.#tasks.delete(id)
  }
  set(id: string, status: string, last_error: string | null = null): void {
    Object.assign(this.#tasks.get(id) ?? {}, { status, last_error })
  }
  event(kind: string, task_id: string, run_id: number | null = null): void {
    this.#events.push({ id: this.#events.length + 1, task_id, run_id, kind })
  }
  claim(task_id: string, run: number, profile = 'ada1'): void {
    this.set(task_id, 'running')
    this.#runs.push({ id: run, task_id, profile, outcome: null, ended_at: null, error: null })
    this.event('claimed', task_id, run)
  }
  end(run: number, outcome: string, status: string): void {
    const found = this.#runs.find(({ id }) => id === run)
    Object.assign(found ?? {}, { outcome, ended_at: this.atMs++ })
    this.set(found?.task_id ?? '', status, outcome)
    this.event(outcome, found?.task_id ?? '', run)
  }
  word(node: string, word: string, run: number, task: string): void {
    const line = `${word} ${(this.atMs++ / 1000).toFixed(6)} run=${run} task=${task}\n`
    this.#accounts.set(node, `${this.#accounts.get(node) ?? ''}${line}`)
  }
  /** A run from its claim to its end, as it should be. */
  run(task: string, run: number, node = 'ada'): void {
    this.claim(task, run)
    for (const word of ['began', 'lives', 'finished']) this.word(node, word, run, task)
    this.end(run, 'completed', 'done')
  }
  rules(): readonly Violation['rule'][] {
    const facts: StormFacts = {
      made: this.#made,
      tasks: [...this.#tasks.values()],
      links: this.links,
      runs: this.#runs,
      events: this.#events,
      lives: [...this.#accounts].flatMap(([node, text]) => readAccount(node, text)),
      pauses: this.pauses,
      caps: { perProfile: 2, board: 3 },
      windowMs: 5,
      ...{ gateways: [], up: [], gatewayLives: [], kills: new Map() },
    }
    return check(facts).map(({ rule }) => rule)
  }
}

/** A log of one task that went well. */
function oneTask(options = {}): Log {
  const log = new Log()
  log.make('t_1', options)
  log.run('t_1', 1)
  return log
}

test('a task that was done once, by a worker that finished, is as it should be', () => {
  expect(oneTask().rules()).toEqual([])
})

test('a task that is taken back from a node and done by another one is as it should be', () => {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.word('ada', 'began', 1, 't_1')
  log.end(1, 'reclaimed', 'ready')
  log.run('t_1', 2, 'bob')
  expect(log.rules()).toEqual([])
})

test('a task that the board does not have any more is lost', () => {
  const log = oneTask()
  log.make('t_2')
  log.lose('t_2')
  expect(log.rules()).toEqual(['lost'])
})

test.each(['ready', 'todo', 'running', 'blocked'])('a task that is %s at the end is unfinished', (status) => {
  const log = oneTask()
  log.make('t_2')
  log.set('t_2', status, 'a reason')
  expect(log.rules()).toEqual(['unfinished'])
})

test('a task made with --once may be blocked at the end, with a reason', () => {
  const log = oneTask()
  log.make('t_2', { once: true })
  log.claim('t_2', 2)
  log.word('bob', 'began', 2, 't_2')
  log.end(2, 'reclaimed', 'blocked')
  log.event('auto_blocked', 't_2', 2)
  expect(log.rules()).toEqual([])
  log.set('t_2', 'blocked', null)
  expect(log.rules()).toEqual(['unfinished'])
  log.set('t_2', 'ready', 'reclaimed')
  expect(log.rules()).toEqual(['unfinished'])
})

test('a task made with --once that had two workers is found', () => {
  const log = new Log()
  log.make('t_1', { once: true })
  log.claim('t_1', 1)
  log.word('ada', 'began', 1, 't_1')
  log.end(1, 'reclaimed', 'ready')
  log.run('t_1', 2, 'bob')
  expect(log.rules()).toEqual(['once, and run twice'])
})

test('a task that was completed twice is found', () => {
  const log = oneTask()
  log.run('t_1', 2)
  expect(log.rules()).toEqual(['completed twice'])
})

test('a completion by a run whose worker did not finish is found', () => {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.word('ada', 'began', 1, 't_1')
  log.end(1, 'completed', 'done')
  expect(log.rules()).toEqual(['completed without work'])
})

test.each(['crashed', 'timed_out', 'stale', 'spawn_failed'])(
  'a run that is %s blames the task for a fault',
  (outcome) => {
    const log = new Log()
    log.make('t_1')
    log.claim('t_1', 1)
    log.end(1, outcome, 'ready')
    log.run('t_1', 2)
    expect(log.rules()).toEqual(['a fault of the machine blamed on the task'])
  },
)

test('a task that is blocked without --once is blamed for a fault', () => {
  const log = oneTask()
  log.event('auto_blocked', 't_1', 1)
  expect(log.rules()).toEqual(['a fault of the machine blamed on the task'])
})

test('a child that is claimed before its parent is completed is found', () => {
  const log = new Log()
  log.make('t_1')
  log.make('t_2')
  log.links.push({ parent: 't_1', child: 't_2' })
  log.run('t_2', 1)
  log.run('t_1', 2)
  expect(log.rules()).toEqual(['a child before its parent'])
})

test('a third task of one profile at once passes its cap', () => {
  const log = new Log()
  for (const run of [1, 2, 3]) {
    log.make(`t_${run}`)
    log.claim(`t_${run}`, run)
  }
  for (const run of [1, 2, 3]) {
    log.word('ada', 'began', run, `t_${run}`)
    log.word('ada', 'finished', run, `t_${run}`)
    log.end(run, 'completed', 'done')
  }
  expect(log.rules()).toEqual(['a cap passed'])
})

test('a fourth task at once passes the cap of the board', () => {
  const log = new Log()
  for (const run of [1, 2, 3, 4]) {
    log.make(`t_${run}`)
    log.claim(`t_${run}`, run, `profile${run}`)
  }
  for (const run of [1, 2, 3, 4]) {
    log.word('ada', 'began', run, `t_${run}`)
    log.word('ada', 'finished', run, `t_${run}`)
    log.end(run, 'completed', 'done')
  }
  expect(log.rules()).toEqual(['a cap passed'])
})

test('a claim of a task that runs is found', () => {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.run('t_1', 2)
  expect(log.rules()).toEqual(['two live runs'])
})

/** Run 1 is taken back from ada, whose worker says something once more after run 2 has begun on bob. */
function secondHolder(pauseOf?: string): Log {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.word('ada', 'began', 1, 't_1')
  const fromMs = log.atMs++
  log.end(1, 'reclaimed', 'ready')
  log.claim('t_1', 2)
  log.word('bob', 'began', 2, 't_1')
  const toMs = log.atMs++
  if (pauseOf !== undefined) log.pauses.push({ node: pauseOf, fromMs, toMs })
  log.word('ada', 'stopped', 1, 't_1')
  log.word('bob', 'finished', 2, 't_1')
  log.end(2, 'completed', 'done')
  return log
}

test('two live workers of one task are found, and the one that outlived its run', () => {
  expect(secondHolder().rules()).toEqual(['outlived its run', 'two live runs'])
})

test('two live workers are excused while a pause ends that was longer than the lease of their node', () => {
  expect(secondHolder('ada').rules()).toEqual([])
  // A pause of the other node explains the second worker, but not why the first one still lived.
  expect(secondHolder('cyd').rules()).toEqual(['outlived its run', 'two live runs'])
})

test('a worker that lives on long after the pause of its node is found', () => {
  const log = secondHolder('ada')
  log.atMs += 10
  log.word('ada', 'lives', 1, 't_1')
  expect(log.rules()).toEqual(['outlived its run'])
})

test('a worker of a run that the board does not know is found', () => {
  const log = oneTask()
  log.word('bob', 'began', 7, 't_1')
  expect(log.rules()).toEqual(['an unknown run'])
})

test('two workers of one run are found', () => {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.word('ada', 'began', 1, 't_1')
  log.word('ada', 'began', 1, 't_1')
  log.word('ada', 'finished', 1, 't_1')
  log.end(1, 'completed', 'done')
  expect(log.rules()).toEqual(['one run begun twice'])
})

test('a worker that is stopped before its first word is as it should be', () => {
  const log = new Log()
  log.make('t_1')
  log.claim('t_1', 1)
  log.word('ada', 'stopped', 1, 't_1')
  log.end(1, 'reclaimed', 'ready')
  log.run('t_1', 2)
  expect(log.rules()).toEqual([])
})

test('an account with a line that no worker writes is refused, and a last line without its end is left out', () => {
  expect(() => readAccount('ada', 'began at noon\n')).toThrow('line 1 of the account of ada: "began at noon"')
  expect(readAccount('ada', 'began 5.000001 run=1 task=t_1\nfinis')).toEqual([
    { node: 'ada', run: 1, task: 't_1', beganAtMs: 5000.001, lastAtMs: 5000.001, finished: false, begins: 1 },
  ])
})
