// The board judges a supervisor's answers about a job by their codes, never by their text.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectControl } from '../../../src/control/client.ts'
import { type Jobs, supervisorJobs } from '../../../src/kanban/jobs/jobs.ts'
import type { JobResult } from '../../../src/protocol/control.ts'
import { serveControl } from '../../../src/supervisor/control/server.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { type ErrorDetail, HermesError } from '../../../src/system/errors.ts'
import { handlers } from '../../supervisor/control/handlers.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

const JOB = 'job-t_00000001-1'

async function asked<T>(answer: () => JobResult, ask: (jobs: Jobs) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-jobs-'))
  const path = join(dir, 'control.sock')
  const server = serveControl({
    fd: realNative.listenUnix(path, 511),
    clock: systemClock(),
    warn: () => undefined,
    handlers: handlers({ 'job-result': answer, 'job-take': answer }),
  })
  const client = await connectControl(path)
  try {
    return await ask(await supervisorJobs(client))
  } finally {
    client.close()
    server.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

const refuses = (message: string, detail?: ErrorDetail) => (): never => {
  throw new HermesError('FAILED', message, detail === undefined ? {} : { detail })
}

test.each([
  ['that never ran', refuses('kein Ergebnis', 'NO_RESULT'), false],
  ['that was stopped before it ran', refuses('kein Ergebnis', 'STOPPED_BEFORE_RUN'), true],
  ['of a supervisor that gives no detail yet', refuses(`${JOB} has no result: spawn failed`), false],
])('a job %s has ended without a result', async (_, answer, wasAsked) => {
  const state = await asked(answer, (jobs) => jobs.look(JOB))
  expect(state).toMatchObject({ state: 'ended', exitCode: null, signal: null, asked: wasAsked })
  await asked(answer, (jobs) => jobs.take(JOB))
})

test('a failure whose text only reads like a missing result is passed on', async () => {
  const bug = (): never => {
    throw new Error('it has no result: stopped before it ran')
  }
  await expect(asked(bug, (jobs) => jobs.look(JOB))).rejects.toMatchObject({ code: 'FAILED', detail: 'INTERNAL' })
  await expect(asked(bug, (jobs) => jobs.take(JOB))).rejects.toMatchObject({ code: 'FAILED', detail: 'INTERNAL' })
})
