import { readAudit } from '../../access/audit-read.ts'
import type { Handlers } from '../contract/handler.ts'
import type { ApiFacts } from './facts.ts'

const DEFAULT_ENTRIES = 500

export const auditHandlers = ({ home, warn }: ApiFacts): Pick<Handlers, 'audit'> => ({
  audit: ({ query: { since, actor, action, limit = DEFAULT_ENTRIES } }) => {
    const filter = { sinceMs: since === undefined ? undefined : Date.parse(since), actor, action }
    const { entries, problems } = readAudit(home, filter, limit)
    for (const problem of problems) warn(problem)
    return { status: 200, body: { entries } }
  },
})
