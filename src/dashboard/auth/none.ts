import type { Handler, Handlers } from '../contract/handler.ts'
import { notFound, unavailable } from '../gate/refusals.ts'
import type { AppFacts } from '../http/app.ts'

export interface Login {
  readonly handlers: Pick<Handlers, 'providers' | 'me' | 'beginLogin' | 'endLogin' | 'passwordLogin' | 'logout'>
  readonly recognize: AppFacts['recognize']
  readonly close: () => Promise<void>
}

/** The log-in for a dashboard that needs none. */
export function noLogin(): Login {
  const none = (): never => {
    throw notFound('no log-in is needed here')
  }
  return {
    handlers: {
      providers: () => {
        throw unavailable('no_providers', 'no log-in is configured; none is needed here')
      },
      me,
      beginLogin: none,
      endLogin: none,
      passwordLogin: none,
      logout: () => ({ status: 204 }),
    },
    close: async () => undefined,
    recognize: async () => ({ kind: 'anonymous', reason: 'no_cookie', cookies: [] }),
  }
}

export const me: Handler<'me'> = ({ viewer, rights }) => ({
  status: 200,
  body: {
    user: viewer?.user ?? null,
    provider: viewer?.provider ?? null,
    scope: rights?.scope ?? 'read',
    ...(viewer !== undefined &&
      Number.isFinite(viewer.endsAtMs) && { expires_at: new Date(viewer.endsAtMs).toISOString() }),
    ...(rights?.profiles !== undefined && { profiles: [...rights.profiles] }),
  },
})
