/** Every route of the dashboard: the router, the OpenAPI document and the tests are made from this table. */
import type * as z from 'zod/mini'
import * as c from './contract.ts'

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
  /** A WebSocket: what the first and the later messages of the client are. */
  readonly socket?: { readonly first: z.ZodMiniType; readonly later: z.ZodMiniType }
}

const none = null

export const ROUTES = {
  status: {
    method: 'GET',
    path: '/api/status',
    summary: 'Check liveness, for probes and portals; return everything to a logged-in caller',
    answers: { 200: c.Status },
  },
  providers: {
    method: 'GET',
    path: '/api/auth/providers',
    summary: 'List the ways to log in',
    answers: { 200: c.Providers, 503: c.ApiError },
  },
  me: { method: 'GET', path: '/api/auth/me', summary: 'Return the logged-in user', answers: { 200: c.Me } },
  beginLogin: {
    method: 'GET',
    path: '/auth/login',
    summary: 'Redirect to the identity provider; `next` is the page to return to',
    query: c.LoginQuery,
    answers: { 302: none, 404: c.ApiError, 503: c.ApiError },
  },
  endLogin: {
    method: 'GET',
    path: '/auth/callback',
    summary: 'Finish a log-in after the return from the identity provider',
    answers: { 302: none, 400: c.ApiError, 403: c.ApiError, 503: c.ApiError },
  },
  passwordLogin: {
    method: 'POST',
    path: '/auth/password-login',
    summary: 'Log in with name and password',
    body: c.PasswordLogin,
    answers: { 200: c.LoggedIn, 401: c.LoginRefused, 403: c.ApiError, 404: c.ApiError, 429: c.TooManyTries },
  },
  logout: { method: 'POST', path: '/auth/logout', summary: 'End the session for good', answers: { 204: none } },
  profiles: {
    method: 'GET',
    path: '/api/profiles',
    summary: 'List the profiles with their gateways, and the helpers',
    answers: { 200: c.Profiles },
  },
  createProfile: {
    method: 'POST',
    path: '/api/profiles',
    summary: 'Create a profile and its slot',
    body: c.NewProfile,
    answers: { 201: c.Profile, 404: c.ApiError, 409: c.ApiError },
  },
  profile: {
    method: 'GET',
    path: '/api/profiles/{name}',
    summary: 'Return everything about one profile',
    answers: { 200: c.ProfileDetails, 404: c.ApiError },
  },
  deleteProfile: {
    method: 'DELETE',
    path: '/api/profiles/{name}',
    summary: 'Delete a profile after stopping its gateway',
    body: c.Confirmation,
    answers: { 204: none, 404: c.ApiError, 409: c.ApiError },
  },
  gateway: {
    method: 'POST',
    path: '/api/profiles/{name}/gateway',
    summary: 'Start, stop or restart its gateway',
    body: c.SlotAction,
    answers: { 200: c.ActionDone, 404: c.ApiError, 409: c.ApiError },
  },
  slot: {
    method: 'POST',
    path: '/api/slots/{slot}',
    summary: 'Start, stop or restart a helper or a service',
    body: c.SlotAction,
    answers: { 200: c.ActionDone, 404: c.ApiError, 409: c.ApiError },
  },
  logs: {
    method: 'GET',
    path: '/api/profiles/{name}/logs',
    summary: "Return a page of its gateway's log, beginning with the last page",
    query: c.LogQuery,
    answers: { 200: c.LogPage, 404: c.ApiError },
  },
  followLogs: {
    method: 'GET',
    path: '/api/profiles/{name}/logs/follow',
    summary: 'Stream new lines of its gateway',
    answers: { 404: c.ApiError },
    events: { lines: c.LogLines, missed: c.Missed },
  },
  deaths: {
    method: 'GET',
    path: '/api/profiles/{name}/deaths',
    summary: 'List the last deaths of its gateway, newest last',
    answers: { 200: c.Deaths, 404: c.ApiError },
  },
  events: {
    method: 'GET',
    path: '/api/events',
    summary: 'Stream changes of slots, usage and boards',
    answers: {},
    events: {
      status: c.Details,
      slot: c.SlotChange,
      removed: c.SlotChange,
      away: c.Away,
      usage: c.UsageSample,
      kanban: c.BoardChange,
    },
  },
  bootLog: {
    method: 'GET',
    path: '/api/boot-log',
    summary: 'List what each boot did with each profile, newest last',
    answers: { 200: c.BootLog },
  },
  sessions: {
    method: 'GET',
    path: '/api/sessions',
    summary: 'List conversations of one profile or of all, newest first',
    query: c.SessionsQuery,
    answers: { 200: c.Sessions, 404: c.ApiError },
  },
  config: {
    method: 'GET',
    path: '/api/config',
    summary: "Return a profile's config.yaml; secrets are in .env",
    query: c.ConfigQuery,
    answers: { 200: c.Config, 404: c.ApiError },
  },
  validateConfig: {
    method: 'POST',
    path: '/api/config/validate',
    summary: 'Check the text of a config.yaml',
    body: c.ConfigText,
    answers: { 200: c.ConfigProblems },
  },
  writeConfig: {
    method: 'PATCH',
    path: '/api/config',
    summary: 'Replace the file, unless it has problems or has changed since it was read',
    body: c.ConfigEdit,
    answers: { 200: c.ConfigWritten, 404: c.ApiError, 409: c.ApiError },
  },
  configDefaults: {
    method: 'GET',
    path: '/api/config/defaults',
    summary: 'Return the defaults of config.yaml',
    answers: { 200: c.AnyJson },
  },
  configSchema: {
    method: 'GET',
    path: '/api/config/schema',
    summary: 'Return the JSON Schema of config.yaml',
    answers: { 200: c.AnyJson },
  },
  model: {
    method: 'GET',
    path: '/api/model/info',
    summary: "Return the default profile's model",
    answers: { 200: c.Model },
  },
  themes: {
    method: 'GET',
    path: '/api/dashboard/themes',
    summary: 'List the themes of the page',
    answers: { 200: c.Themes },
  },
  plugins: {
    method: 'GET',
    path: '/api/dashboard/plugins',
    summary: 'List the plug-ins of the page',
    answers: { 200: c.Plugins },
  },
  boards: { method: 'GET', path: '/api/kanban/boards', summary: 'The boards', answers: { 200: c.Boards } },
  tasks: {
    method: 'GET',
    path: '/api/kanban/tasks',
    summary: 'List tasks, newest first, and their number by status',
    query: c.TasksQuery,
    answers: { 200: c.Tasks, 404: c.ApiError },
  },
  createTask: {
    method: 'POST',
    path: '/api/kanban/tasks',
    summary: 'Create a task',
    query: c.BoardQuery,
    body: c.NewTask,
    answers: { 201: c.Task, 404: c.ApiError },
  },
  task: {
    method: 'GET',
    path: '/api/kanban/tasks/{id}',
    summary: 'Return everything about a task, and why it is not running',
    query: c.BoardQuery,
    answers: { 200: c.TaskDetails, 404: c.ApiError },
  },
  moveTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/move',
    summary: 'Move a task to another status, by the rules of the board',
    query: c.BoardQuery,
    body: c.TaskMove,
    answers: { 200: c.Task, 404: c.ApiError, 409: c.ApiError },
  },
  assignTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/assign',
    summary: 'Assign a task to a profile, or remove its assignee',
    query: c.BoardQuery,
    body: c.TaskAssignment,
    answers: { 200: c.Task, 404: c.ApiError, 409: c.ApiError },
  },
  commentTask: {
    method: 'POST',
    path: '/api/kanban/tasks/{id}/comment',
    summary: 'Add a comment to a task',
    query: c.BoardQuery,
    body: c.NewComment,
    answers: { 201: c.Commented, 404: c.ApiError },
  },
  dispatch: {
    method: 'POST',
    path: '/api/kanban/dispatch',
    summary: 'Return what the next tick of the dispatcher would do, like hermes kanban dispatch --dry-run --json',
    query: c.BoardQuery,
    body: c.DryRun,
    answers: { 200: c.AnyJson, 404: c.ApiError },
  },
  metrics: {
    method: 'GET',
    path: '/api/metrics',
    summary: 'Return metrics for Prometheus; needs a session, or HERMES_METRICS_TOKEN as bearer token',
    answers: { 200: 'text' },
  },
  openapi: { method: 'GET', path: '/api/openapi.json', summary: 'This document', answers: { 200: c.AnyJson } },
  terminal: {
    method: 'GET',
    path: '/api/terminal',
    summary: 'Run hermes chat in a terminal, over a WebSocket; requires HERMES_DASHBOARD_TUI',
    answers: { 404: c.ApiError },
    socket: { first: c.TerminalSize, later: c.TerminalMessage },
  },
} as const satisfies Readonly<Record<string, Route>>

export type RouteName = keyof typeof ROUTES
