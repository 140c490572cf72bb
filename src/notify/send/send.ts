/** One attempt to deliver a message. */
import type { NotifyTarget } from '../../profile/config/kinds/notify-kinds.ts'
import type { Clock } from '../../system/clock.ts'
import type { Environment } from '../../system/programs/install.ts'
import type { Notification } from '../notification.ts'
import { requestOf } from '../request.ts'
import type { Attempt } from '../retry.ts'
import { addressOf, variableOf } from './address.ts'
import { post } from './post.ts'

export interface SendFacts {
  readonly home: string
  /** Of the variables that targets name. */
  readonly env: Environment
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Never rejects. */
export async function send(target: NotifyTarget, notification: Notification, facts: SendFacts): Promise<Attempt> {
  const { home, env, clock, signal } = facts
  if (target.to === 'exec') {
    // Loaded for a target that is a program.
    const { runProgram } = await import('./run.ts')
    return runProgram(target.command, notification, { home, env, signal })
  }
  const address = addressOf(target, home, env)
  // It may be set later: the message waits.
  if (address.problem !== undefined) return { is: 'failed', text: address.problem }
  const secret = target.secretEnv === null ? undefined : variableOf(target.secretEnv, env)
  if (secret?.problem !== undefined) return { is: 'failed', text: secret.problem }
  if (target.to === 'mail') {
    // Loaded for a target that is a mail server.
    const { sendMail } = await import('./mail.ts')
    return sendMail(target, { url: address.text, password: secret?.text }, notification, { clock, signal })
  }
  return post(requestOf(target.to, address.text, secret?.text, notification), clock, signal)
}
