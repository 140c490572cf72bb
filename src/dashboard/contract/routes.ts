/** Every route of the dashboard: the router, the OpenAPI document and the tests are made from this table. */
import type * as z from 'zod/mini'
import * as access from './access.ts'
import * as board from './board.ts'
import * as logs from './logs.ts'
import * as nodes from './nodes.ts'
import * as routines from './routines.ts'
import * as settings from './settings.ts'
import * as slots from './slots.ts'
import * as terminal from './terminal.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
/** `null`: no body. `text`: not JSON. */
export type AnswerBody = z.ZodMiniType | null | 'text'

export interface Route {
  readonly method: Method
  /** `{name}`: one segment. */
  readonly path: string
  readonly summary: string
  readonly query?: z.ZodMiniType
  readonly body?: z.ZodMiniType
  /** Answers of the handler itself; refusals of the gates and general errors apply to every route (openapi.ts). */
  readonly answers: Readonly<Record<number, AnswerBody>>
  /** Server-sent events by their name. */
  readonly events?: Readonly<Record<string, z.ZodMiniType>>
  /** The type of a file that the handler sends. */
  readonly file?: string
  /** The type of a file that the handler reads, instead of a body in JSON. */
  readonly upload?: string
  /** A WebSocket: what the first and the later messages of the client are. */
  readonly socket?: { readonly first: z.ZodMiniType; readonly later: z.ZodMiniType }
}

const none = null

export const ROUTES = {
  status: {
    method: 'GET',
    path: '/api/status',
    summary: 'Check liveness, for probes and portals; return everything to a logged-in caller',
    answers: { 200: slots.Status },
  },
  providers: {
    method: 'GET',
    path: '/api/auth/providers',
    summary: 'List the ways to log in',
    answers: { 200: access.Providers, 503: access.ApiError },
  },
  me: { method: 'GET', path: '/api/auth/me', summary: 'Return the logged-in user', answers: { 200: access.Me } },
  beginLogin: {
    method: 'GET',
    path: '/auth/login',
    summary: 'Redirect to the identity provider; `next` is the page to return to',
    query: access.LoginQuery,
    answers: { 302: none, 404: access.ApiError, 503: access.ApiError },
  },
  endLogin: {
    method: 'GET',
    path: '/auth/callback',
    summary: 'Finish a log-in after the return from the identity provider',
    answers: { 302: none, 400: access.ApiError, 403: access.ApiError, 503: access.ApiError },
  },
  passwordLogin: {
    method: 'POST',
    path: '/auth/password-login',
    summary: 'Log in with name and password',
    body: access.PasswordLogin,
    answers: {
      200: access.LoggedIn,
      401: access.LoginRefused,
      403: access.ApiError,
      404: access.ApiError,
      429: access.TooManyTries,
    },
  },
  logout: { method: 'POST', path: '/auth/logout', summary: 'End the session for good', answers: { 204: none } },
  profiles: {
    method: 'GET',
    path: '/api/profiles',
    summary: 'List the profiles with their gateways, and the helpers',
    answers: { 200: slots.Profiles },
  },
  createProfile: {
    method: 'POST',
    path: '/api/profiles',
    summary: 'Create a profile and its slot',
    body: slots.NewProfile,
    answers: { 201: slots.Profile, 404: access.ApiError, 409: access.ApiError },
  },
  profile: {
    method: 'GET',
    path: '/api/profiles/{name}',
    summary: 'Return everything about one profile',
    answers: { 200: slots.ProfileDetails, 404: access.ApiError },
  },
  deleteProfile: {
    method: 'DELETE',
    path: '/api/profiles/{name}',
    summary: 'Delete a profile after stopping its gateway',
    body: slots.Confirmation,
    answers: { 204: none, 404: access.ApiError, 409: access.ApiError },
  },
  gateway: {
    method: 'POST',
    path: '/api/profiles/{name}/gateway',
    summary: 'Start, stop or restart its gateway',
    body: slots.SlotAction,
    answers: { 200: slots.ActionDone, 404: access.ApiError, 409: access.ApiError },
  },
  slot: {
    method: 'POST',
    path: '/api/slots/{slot}',
    summary: 'Start, stop or restart a helper or a service',
    body: slots.SlotAction,
    answers: { 200: slots.ActionDone, 404: access.ApiError, 409: access.ApiError },
  },
  logs: {
    method: 'GET',
    path: '/api/profiles/{name}/logs',
    summary: "Return a page of its gateway's log, beginning with the last page",
    query: logs.LogQuery,
    answers: { 200: logs.LogPage, 404: access.ApiError },
  },
  followLogs: {
    method: 'GET',
    path: '/api/profiles/{name}/logs/follow',
    summary: 'Stream new lines of its gateway',
    answers: { 404: access.ApiError },
    events: { lines: logs.LogLines, missed: logs.Missed },
  },
  deaths: {
    method: 'GET',
    path: '/api/profiles/{name}/deaths',
    summary: 'List the last deaths of its gateway, newest last',
    answers: { 200: slots.Deaths, 404: access.ApiError },
  },
  events: {
    method: 'GET',
    path: '/api/events',
    summary: 'Stream changes of slots, usage and boards',
    answers: {},
    events: {
      status: slots.Details,
      slot: slots.SlotChange,
      removed: slots.SlotChange,
      away: slots.Away,
      usage: slots.UsageSample,
      kanban: slots.BoardChange,
    },
  },
  bootLog: {
    method: 'GET',
    path: '/api/boot-log',
    summary: 'List what each boot did with each profile, newest last',
    answers: { 200: logs.BootLog },
  },
  sessions: {
    method: 'GET',
    path: '/api/sessions',
    summary: 'List conversations of one profile or of all, newest first',
    query: settings.SessionsQuery,
    answers: { 200: settings.Sessions, 404: access.ApiError },
  },
  config: {
    method: 'GET',
    path: '/api/config',
    summary: "Return a profile's config.yaml; secrets are in .env",
    query: settings.ConfigQuery,
    answers: { 200: settings.Config, 404: access.ApiError },
  },
  validateConfig: {
    method: 'POST',
    path: '/api/config/validate',
    summary: 'Check the text of a config.yaml',
    body: settings.ConfigText,
    answers: { 200: settings.ConfigProblems },
  },
  writeConfig: {
    method: 'PATCH',
    path: '/api/config',
    summary: 'Replace the file, unless it has problems or has changed since it was read',
    body: settings.ConfigEdit,
    answers: { 200: settings.ConfigWritten, 404: access.ApiError, 409: access.ApiError },
  },
  configDefaults: {
    method: 'GET',
    path: '/api/config/defaults',
    summary: 'Return the defaults of config.yaml',
    answers: { 200: settings.AnyJson },
  },
  configSchema: {
    method: 'GET',
    path: '/api/config/schema',
    summary: 'Return the JSON Schema of config.yaml',
    answers: { 200: settings.AnyJson },
  },
  model: {
    method: 'GET',
    path: '/api/model/info',
    summary: "Return the default profile's model",
    answers: { 200: settings.Model },
  },
  themes: {
    method: 'GET',
    path: '/api/dashboard/themes',
    summary: 'List the themes of the page',
    answers: { 200: settings.Themes },
  },
  plugins: {
    method: 'GET',
    path: '/api/dashboard/plugins',
    summary: 'List the plug-ins of the page',
    answers: { 200: settings.Plugins },
  },
  boards: { method: 'GET', path: '/api/kanban/boards', summary: 'The boards', answers: { 200: board.Boards } },
  tasks: {
    method: 'GET',
    path: '/api/kanban/tasks',
    summary: 'List tasks, newest first, and their number by status',
    query: board.TasksQuery,
    answers: { 200: board.Tasks, 404: access.ApiError },
  },
  createTask: {
    method: 'POST',
    path: '/api/kanban/tasks',
    summary: 'Create a task',
    query: board.BoardQuery,
    body: board.NewTask,
    answers: { 201: board.Task, 404: access.ApiError },
  },
  task: {
    method: 'GET',
    path: '/api/kanban/tasks/{id}',
    summary: 'Return everything about a task, and why it is not running',
    query: board.BoardQuery,
    answers: { 200: board.TaskDetails, 404: access.ApiError },
  },
  editTask: {
    method: 'PATCH',
    path: '/api/kanban/tasks/{id}',
    summary: 'Change the title, body or priority of a task that is not done or archived',
    query: board.BoardQuery,
    body: board.TaskEdit,
    answers: { 200: board.Task, 404: access.ApiError, 409: access.ApiError },
  },
  deleteTask: {
    method: 'DELETE',
    path: '/api/kanban/tasks/{id}',
    summary: 'Remove a task with its history, unless it is running or open tasks follow it',
    query: board.BoardQuery,
    answers: { 200: board.Deleted, 404: access.ApiError, 409: access.ApiError },
  },
  moveTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/move',
    summary: 'Move a task to another status, by the rules of the board',
    query: board.BoardQuery,
    body: board.TaskMove,
    answers: { 200: board.Task, 404: access.ApiError, 409: access.ApiError },
  },
  assignTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/assign',
    summary: 'Assign a task to a profile, or remove its assignee',
    query: board.BoardQuery,
    body: board.TaskAssignment,
    answers: { 200: board.Task, 404: access.ApiError, 409: access.ApiError },
  },
  commentTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/comment',
    summary: 'Add a comment to a task',
    query: board.BoardQuery,
    body: board.NewComment,
    answers: { 201: board.Commented, 404: access.ApiError },
  },
  requestChanges: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/request-changes',
    summary: 'Send a task in review back to work, with what has to change',
    query: board.BoardQuery,
    body: board.ChangeRequest,
    answers: { 200: board.Task, 404: access.ApiError, 409: access.ApiError },
  },
  attachments: {
    method: 'GET',
    path: '/api/kanban/tasks/{id}/attachments',
    summary: 'List the files that are attached to a task',
    query: board.BoardQuery,
    answers: { 200: board.Attachments, 404: access.ApiError },
  },
  attachFile: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/attachments',
    summary: 'Attach the body to a task, as a file of this name with kanban.attachment_max_bytes bytes at most',
    query: board.NewAttachment,
    upload: 'application/octet-stream',
    answers: { 201: board.Attachment, 404: access.ApiError, 409: access.ApiError },
  },
  readAttachment: {
    method: 'GET',
    path: '/api/kanban/tasks/{id}/attachments/{name}',
    summary: 'Return a file that is attached to a task, to be saved and not to be shown',
    query: board.BoardQuery,
    answers: { 404: access.ApiError, 409: access.ApiError },
    file: 'application/octet-stream',
  },
  detachFile: {
    method: 'DELETE',
    path: '/api/kanban/tasks/{id}/attachments/{name}',
    summary: 'Remove a file from a task',
    query: board.BoardQuery,
    answers: { 200: board.Detached, 404: access.ApiError, 409: access.ApiError },
  },
  routines: {
    method: 'GET',
    path: '/api/kanban/routines',
    summary: 'List the routines of a board with their next times',
    query: board.BoardQuery,
    answers: { 200: routines.Routines, 404: access.ApiError },
  },
  createRoutine: {
    method: 'POST',
    path: '/api/kanban/routines',
    summary: 'Create a routine, which makes a task again and again',
    query: board.BoardQuery,
    body: routines.NewRoutine,
    answers: { 201: routines.Routine, 404: access.ApiError, 409: access.ApiError },
  },
  changeRoutine: {
    method: 'PATCH',
    path: '/api/kanban/routines/{name}',
    summary: 'Pause or resume a routine',
    query: board.BoardQuery,
    body: routines.RoutineChange,
    answers: { 200: routines.Routine, 404: access.ApiError },
  },
  runRoutine: {
    method: 'POST',
    path: '/api/kanban/routines/{name}/run',
    summary: 'Make a task of a routine now, also of a paused one',
    query: board.BoardQuery,
    answers: { 201: routines.RoutineRun, 404: access.ApiError },
  },
  deleteRoutine: {
    method: 'DELETE',
    path: '/api/kanban/routines/{name}',
    summary: 'Delete a routine; its tasks stay',
    query: board.BoardQuery,
    answers: { 200: routines.RoutineDeleted, 404: access.ApiError },
  },
  dispatch: {
    method: 'POST',
    path: '/api/kanban/dispatch',
    summary: 'Return what the next tick of the dispatcher would do, like hermes kanban dispatch --dry-run --json',
    query: board.BoardQuery,
    body: board.DryRun,
    answers: { 200: settings.AnyJson, 404: access.ApiError },
  },
  nodes: {
    method: 'GET',
    path: '/api/nodes',
    summary: 'List the nodes that share the board; none where it is in files',
    answers: { 200: nodes.Nodes },
  },
  gatewaysOfNode: {
    method: 'GET',
    path: '/api/nodes/{node}/gateways',
    summary: 'List the profiles of a node with their gateways',
    answers: { 200: slots.Profiles, 404: access.ApiError },
  },
  gatewayOfNode: {
    method: 'POST',
    path: '/api/nodes/{node}/gateways/{name}',
    summary: 'Start, stop or restart a gateway of a node',
    body: slots.SlotAction,
    answers: { 200: slots.ActionDone, 404: access.ApiError, 409: access.ApiError },
  },
  logsOfNode: {
    method: 'GET',
    path: '/api/nodes/{node}/gateways/{name}/logs',
    summary: "Return a page of the log of a node's gateway",
    query: logs.LogQuery,
    answers: { 200: logs.LogPage, 404: access.ApiError },
  },
  followLogsOfNode: {
    method: 'GET',
    path: '/api/nodes/{node}/gateways/{name}/logs/follow',
    summary: "Stream new lines of a node's gateway",
    answers: { 404: access.ApiError },
    events: { lines: logs.LogLines, missed: logs.Missed },
  },
  nodeGateways: {
    method: 'GET',
    path: '/api/node/gateways',
    summary: 'For other nodes: list the profiles of this node with their gateways',
    answers: { 200: slots.Profiles },
  },
  nodeGateway: {
    method: 'POST',
    path: '/api/node/gateways/{name}',
    summary: 'For other nodes: start, stop or restart a gateway of this node',
    body: slots.SlotAction,
    answers: { 200: slots.ActionDone, 404: access.ApiError, 409: access.ApiError },
  },
  nodeLogs: {
    method: 'GET',
    path: '/api/node/gateways/{name}/logs',
    summary: "For other nodes: return a page of a gateway's log",
    query: logs.LogQuery,
    answers: { 200: logs.LogPage, 404: access.ApiError },
  },
  followNodeLogs: {
    method: 'GET',
    path: '/api/node/gateways/{name}/logs/follow',
    summary: 'For other nodes: stream new lines of a gateway',
    answers: { 404: access.ApiError },
    events: { lines: logs.LogLines, missed: logs.Missed },
  },
  nodeArchive: {
    method: 'GET',
    path: '/api/node/profiles/{name}/archive',
    summary: 'For other nodes: return the archive of a profile that moves from this node',
    answers: { 404: access.ApiError },
    file: 'application/x-tar',
  },
  nodeTake: {
    method: 'POST',
    path: '/api/node/profiles/{name}/take',
    summary: 'For other nodes: fetch a profile that moves to this node; without an epoch, ask whether it may come',
    body: nodes.Take,
    answers: { 204: none, 404: access.ApiError, 409: access.ApiError },
    events: { progress: nodes.TakeProgress, done: nodes.TakeDone, failed: access.ApiError },
  },
  metrics: {
    method: 'GET',
    path: '/api/metrics',
    summary: 'Return metrics for Prometheus; needs a session, or HERMES_METRICS_TOKEN as bearer token',
    answers: { 200: 'text' },
  },
  openapi: { method: 'GET', path: '/api/openapi.json', summary: 'This document', answers: { 200: settings.AnyJson } },
  terminal: {
    method: 'GET',
    path: '/api/terminal',
    summary: 'Run hermes chat in a terminal, over a WebSocket; requires HERMES_DASHBOARD_TUI',
    answers: { 404: access.ApiError },
    socket: { first: terminal.TerminalSize, later: terminal.TerminalMessage },
  },
} as const satisfies Readonly<Record<string, Route>>

export type RouteName = keyof typeof ROUTES
