import { NOTHING } from '../../access/scope.ts'
import type { Handlers } from '../contract/handler.ts'
import type { PublicList } from '../gate/public-paths.ts'
import { attachmentHandlers } from '../kanban/attachments.ts'
import { routineHandlers } from '../kanban/routines.ts'
import { taskHandlers } from '../kanban/tasks.ts'
import { auditHandlers } from './audit.ts'
import { configHandlers } from './config.ts'
import type { ApiFacts } from './facts.ts'
import { logHandlers } from './logs.ts'
import { metricsHandlers } from './metrics.ts'
import { moveHandlers } from './moves.ts'
import { nodeHandlers } from './node.ts'
import { nodesHandlers } from './nodes.ts'
import { profileHandlers } from './profiles.ts'
import { statusHandlers } from './status.ts'
import { usageHandlers } from './usage.ts'

type AuthNames = 'providers' | 'me' | 'beginLogin' | 'endLogin' | 'passwordLogin' | 'logout'

/** Every route's handler. @param auth those of the log-in */
export const allHandlers = (
  facts: ApiFacts,
  auth: Pick<Handlers, AuthNames>,
  open: { readonly list: PublicList; readonly publicApi: boolean },
): Handlers => ({
  ...auth,
  ...statusHandlers(facts),
  ...profileHandlers(facts),
  ...logHandlers(facts),
  ...auditHandlers(facts),
  ...configHandlers(facts),
  ...taskHandlers(facts),
  ...attachmentHandlers(facts),
  ...routineHandlers(facts),
  ...usageHandlers(facts),
  ...metricsHandlers(facts),
  ...nodeHandlers(facts),
  ...nodesHandlers(facts),
  ...moveHandlers(facts),
  events: (call) => {
    facts.stream(call, (viewer) => facts.feed.add(viewer, call.rights ?? NOTHING))
    return { stream: true }
  },
  openapi: async () => {
    const { openApi } = await import('./openapi.ts')
    return { status: 200, body: openApi(facts.version, open.list, open.publicApi) }
  },
})
