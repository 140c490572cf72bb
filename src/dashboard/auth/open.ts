import type { Clock } from '../../system/clock.ts'
import { truthy } from '../../system/markers.ts'
import type { AuditLog } from './audit.ts'
import { login } from './login.ts'
import type { LoginStorage } from './login-storage.ts'
import type { Login } from './none.ts'
import { parseAllowList } from './providers/allow-list.ts'
import { basicProvider } from './providers/basic.ts'
import { groupRoles } from './providers/group-roles.ts'
import { oidcProvider, oidcSettings } from './providers/oidc.ts'
import { TokenRevocations } from './providers/token-revocations.ts'
import { RevokedSessions } from './revoked.ts'
import { Sealer } from './seal.ts'
import { Sessions } from './sessions.ts'

/**
 * The log-in as the settings have it, with what it keeps.
 * @throws HermesError with exit code 78
 */
export async function openLogin(facts: {
  readonly clock: Clock
  readonly audit: AuditLog
  readonly keeping: LoginStorage
  readonly setting: (name: string) => string | undefined
  readonly warn: (text: string) => void
  readonly closeOf: (session: string) => void
}): Promise<Login> {
  const { clock, audit, keeping, setting, warn, closeOf } = facts
  const oidcSetting = oidcSettings(setting)
  const oidc = oidcSetting && oidcProvider(oidcSetting, clock, groupRoles(setting))
  const basic = basicProvider(setting)
  const providers = [...(oidc === undefined ? [] : [oidc]), ...(basic === undefined ? [] : [basic])]
  const isAllowed = parseAllowList(setting('ALLOWED_USERS'), truthy(setting('ALLOW_UNVERIFIED_EMAIL')))
  const sealer = new Sealer(await keeping.key())
  const sessions = new Sessions({
    clock,
    sealer,
    revoked: new RevokedSessions(keeping.ended, () => clock.wallMs(), warn),
    providers,
    isAllowed,
    refused: ({ user, provider }, reason) =>
      audit.write({ event: 'renewal_refused', provider, user, address: '-', reason }),
  })
  const revocations = new TokenRevocations()
  return {
    ...login({ clock, providers, sessions, sealer, audit, revocations, isAllowed, closeOf }),
    async close() {
      oidc?.close()
      await revocations.close()
    },
  }
}
