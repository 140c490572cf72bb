/** Starts the worker of a claimed task. */
import { statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../../profile/config/config.ts'
import { walledUid } from '../../profile/walled.ts'
import type { JobSpec } from '../../protocol/control.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { profileDir } from '../../system/paths.ts'
import type { HandedFile } from '../attachments/attachment.ts'
import { contextJson } from '../handover/context.ts'
import type { HandoverFacts } from '../handover/facts.ts'
import { promptOf } from '../handover/prompt.ts'
import { workerCommand } from '../handover/worker.ts'
import type { BoardPlace } from '../port/board.ts'
import { type TaskRow, toTask } from '../port/rows.ts'
import { contextFile, promptFile, taskLog } from '../store/places.ts'
import { WORKER_STOP_MS } from './jobs.ts'
import { resultFile } from './kept-results.ts'

/** A job is one request, and with what the supervisor adds to it one state file: both may have 1 MB. */
const MAX_JOB_BYTES = 900_000

/** Something about the task or the profile is wrong: a failure of the spawn, with its reason. */
export class SpawnError extends Error {}

export interface SpawnFacts {
  readonly home: string
  readonly place: BoardPlace
  readonly task: TaskRow
  readonly profile: string
  readonly runId: number
  readonly slot: string
  readonly agent: AgentConfig
  readonly handover: HandoverFacts
  /** Attachments of the task. */
  readonly files: readonly HandedFile[]
  /** `kanban.context_max_bytes` */
  readonly contextMaxBytes: number
  /** `gateway.env` of the profile. */
  readonly environment: Readonly<Record<string, string>>
  /** Command of the built-in agent, which gets the prompt on stdin. */
  readonly builtIn: (profile: string) => readonly string[]
}

/** Working directory of a task's worker. */
export const workspaceOf = (
  home: string,
  profile: string,
  task: Pick<TaskRow, 'id' | 'workspace_kind' | 'workspace_path'>,
): string =>
  task.workspace_kind === 'dir' && task.workspace_path !== null
    ? task.workspace_path
    : join(profileDir(home, profile), 'workspace', task.id)

/**
 * Makes the workspace, and the files of the prompt and the context.
 * @throws SpawnError
 */
export function prepareJob(facts: SpawnFacts): JobSpec {
  const { home, place, task, profile, runId, slot, agent, environment, builtIn, handover, files } = facts
  if (walledUid(home, profile) !== undefined)
    throw new SpawnError(`profile "${profile}" is walled, and tasks of walled profiles do not run yet`)
  const workspace = workspaceOf(home, profile, task)
  makeWorkspace(workspace, task.workspace_kind === 'scratch')
  const resultBy = agent.command === null ? 'answer' : 'command'
  const known = toTask(task)
  const prompt = promptOf(known, handover, { maxBytes: facts.contextMaxBytes, resultBy, files })
  const context = contextFile(home, slot)
  const inFile = promptFile(home, task.id)
  const { id, title } = task
  const worker =
    agent.command === null
      ? { command: builtIn(profile), stdin: prompt }
      : workerCommand(agent.command, { id, title, prompt, promptFile: inFile, contextFile: context })
  if (typeof worker === 'string') throw new SpawnError(worker)
  const stdinFile = worker.stdin === null ? undefined : inFile
  const logFile = taskLog(home, task.id)
  const result = resultFile(home, slot)
  try {
    if (stdinFile !== undefined) {
      makeDirectory(dirname(stdinFile), 0o700)
      writeFileSync(stdinFile, worker.stdin ?? '', { mode: 0o600 })
    }
    for (const file of [logFile, result, context]) makeDirectory(dirname(file), 0o700)
    const handed = contextJson({ ...handover, board: place.slug, runId, task: known, files, prompt })
    writeFileSync(context, `${JSON.stringify(handed)}\n`, { mode: 0o600 })
  } catch (error) {
    throw new SpawnError((error as Error).message, { cause: error })
  }
  const spec: JobSpec = {
    slot,
    profile,
    command: worker.command,
    cwd: workspace,
    env: {
      ...environment,
      HERMES_KANBAN_TASK: task.id,
      HERMES_KANBAN_WORKSPACE: workspace,
      HERMES_KANBAN_RUN_ID: String(runId),
      HERMES_KANBAN_CONTEXT: context,
      ...(place.file !== undefined && { HERMES_KANBAN_DB: place.file }),
      HERMES_KANBAN_BOARD: place.slug,
    },
    logFile,
    resultFile: result,
    stopTimeoutMs: WORKER_STOP_MS,
    ...(stdinFile === undefined ? {} : { stdinFile }),
  }
  const bytes = Buffer.byteLength(JSON.stringify(spec))
  if (bytes > MAX_JOB_BYTES) {
    throw new SpawnError(
      `agent.command with the prompt in it and gateway.env have ${bytes} bytes, more than ${MAX_JOB_BYTES}: remove {prompt} from agent.command to pass it on stdin`,
    )
  }
  return spec
}

function makeWorkspace(workspace: string, ours: boolean): void {
  try {
    if (ours) makeDirectory(workspace)
    else if (!statSync(workspace).isDirectory()) throw new SpawnError(`the workspace ${workspace} is not a directory`)
  } catch (error) {
    if (error instanceof SpawnError) throw error
    throw new SpawnError(`the workspace ${workspace} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}
