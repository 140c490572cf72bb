/** Parameters and answers of a handler, typed by its row in the table of routes. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type * as z from 'zod/mini'
import type { Rights } from '../../access/scope.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import type { ROUTES, RouteName } from './routes.ts'

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T
type Of<S> = S extends z.ZodMiniType ? z.infer<S> : undefined
type Row<N extends RouteName> = (typeof ROUTES)[N]

/** The logged-in user, or an API token; undefined where no log-in is needed, and on public paths without a session. */
export interface SignedIn {
  /** Id of the session; of a token, {@link tokenSession}. */
  readonly session: string
  readonly user: string
  /** As boards record it: `dashboard:me`, `token:ci`. */
  readonly actor: string
  readonly provider: string
  /** Unix ms: streams end then, to be opened again with a session that was renewed; Infinity: never. */
  readonly expiresAtMs: number
  /** Unix ms: of the session. */
  readonly endsAtMs: number
}

export interface Call<N extends RouteName = RouteName> {
  /** The segments of the path in braces. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Row<N> extends { query: infer Q } ? Of<Q> : undefined
  readonly body: Row<N> extends { body: infer B } ? Of<B> : undefined
  readonly facts: RequestFacts
  readonly viewer: SignedIn | undefined
  /** May see more than the public: signed in, or no log-in is needed. */
  readonly trusted: boolean
  /** undefined: a stranger, who may only see what is public. */
  readonly rights: Rights | undefined
  /** For answers that are streams; other answers get them automatically. */
  readonly cookies: readonly string[]
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

interface Extras {
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
}

type AnswerAs<S extends PropertyKey, B> = Extras & { readonly status: S } & (B extends z.ZodMiniType
    ? { readonly body: DeepReadonly<z.infer<B>> }
    : B extends 'text'
      ? { readonly text: string; readonly type: string }
      : { readonly body?: undefined })

/** A whole file. Its headers have its type. */
type FileAnswer = Extras & { readonly status: 200; readonly bytes: Buffer }

/** `stream`: the handler has started the answer itself. Errors are thrown. */
export type Answer<N extends RouteName> =
  | { [S in keyof Row<N>['answers']]: AnswerAs<S, Row<N>['answers'][S]> }[keyof Row<N>['answers']]
  | (Row<N> extends { events: object } | { file: string } ? { readonly stream: true } : never)
  | (Row<N> extends { file: string } ? FileAnswer : never)

/** Any answer, where the route is known at run time only. */
export type AnyAnswer =
  | (Extras & {
      readonly status: number
      readonly body?: unknown
      readonly text?: undefined
      readonly bytes?: undefined
    })
  | FileAnswer
  | (Extras & { readonly status: number; readonly text: string; readonly type: string })
  | { readonly stream: true }

export type Handler<N extends RouteName> = (call: Call<N>) => Promise<Answer<N>> | Answer<N>
/** One per route, except the WebSocket's, which is not an ordinary request. */
export type Handlers = { readonly [N in Exclude<RouteName, 'terminal'>]: Handler<N> }
