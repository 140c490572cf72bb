import { userInfo } from 'node:os'
import type { Environment } from '../../system/programs/install.ts'

/**
 * The caller of a command, as the audit log names them: the user, or the slot whose program has called it.
 * @param uid of the caller, before root was given up
 */
export function actorOf(env: Environment, uid: number): string {
  if (env.HERMES_SLOT) return `slot:${env.HERMES_SLOT}`
  if (uid === 0) return 'root'
  try {
    const user = userInfo()
    return user.uid === uid ? user.username : String(uid)
  } catch {
    return String(uid) // it has no line in /etc/passwd
  }
}
