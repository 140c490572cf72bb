import { NOTHING, sees } from '../../access/scope.ts'
import { DEFAULT_DAYS, usageJson, usageOfHome } from '../../meter/ledger/home-usage.ts'
import { requireProfile } from '../../profile/directory/disk.ts'
import type { Handlers } from '../contract/handler.ts'
import type { Usage } from '../contract/usage.ts'
import type { ApiFacts } from './facts.ts'

export const usageHandlers = ({ home, clock }: ApiFacts): Pick<Handlers, 'usage'> => ({
  usage: ({ query: { by = 'profile', days = DEFAULT_DAYS, profile }, rights = NOTHING }) => {
    const wallMs = clock.wallMs()
    if (profile !== undefined) requireProfile(home, profile)
    const isSeen = (name: string): boolean => sees(rights, name) && (profile === undefined || name === profile)
    return { status: 200, body: usageJson(usageOfHome(home, { days, wallMs, sees: isSeen }), by) as Usage }
  },
})
