/** Hands a message to a mail server. */
import { Socket } from 'node:net'
import { createTransport } from 'nodemailer'
import type { MailTarget } from '../../profile/config/kinds/notify-kinds.ts'
import type { Clock } from '../../system/clock.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { Notification } from '../notification.ts'
import { titleOf } from '../request.ts'
import type { Attempt } from '../retry.ts'

/** Longest wait for a whole delivery. */
const DELIVERY_MS = 30_000
const PORTS = { smtp: 587, smtps: 465 } as const

export interface MailServer {
  /** smtp:// (STARTTLS where the server has it) or smtps://, with a user where one logs in. */
  readonly url: string
  /** Of the user; absent: the one in the address. */
  readonly password: string | undefined
}

/** Never rejects. @param facts.signal ends the attempt, which then has failed */
export async function sendMail(
  { sender, recipients }: MailTarget,
  server: MailServer,
  notification: Notification,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Attempt> {
  const { options, shown } = transportOf(server)
  const socket = new Socket()
  let late: string | undefined
  const end = (why: string): void => {
    late ??= why
    socket.destroy()
  }
  const cancel = clock.at(clock.nowMs() + DELIVERY_MS, () => end(`does not take it within ${DELIVERY_MS / 1000} s`))
  const abort = (): void => end('was not waited for, because the notifier ends')
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    const transport = createTransport({
      ...options,
      getSocket(_options, done) {
        if (late !== undefined) return done(new Error(late))
        socket.once('error', done).once('close', () => done(new Error('closed')))
        socket.connect(options.port, options.host, () => done(null, { connection: socket }))
      },
    })
    await transport.sendMail({
      from: `Hermes <${sender}>`,
      to: [...recipients],
      subject: titleOf(notification),
      text: `${notification.text}\n`,
      // The same at each attempt, so that a mail program shows one of two.
      messageId: `<${notification.id}@hermes>`,
      date: new Date(notification.at),
      headers: { 'X-Hermes-Delivery': notification.id, 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    return { is: 'delivered', text: `${shown} took it` }
  } catch (error) {
    return late === undefined ? failure(shown, error as SmtpError) : { is: 'failed', text: `${shown} ${late}` }
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/** As nodemailer gives it: the code of the library or of the system, and the server's reply code. */
type SmtpError = Error & { readonly code?: string; readonly responseCode?: number }

/** @returns without the texts of the server: they may quote a secret */
function failure(shown: string, { code, responseCode, message }: SmtpError): Attempt {
  if (code === 'ETLS') return { is: 'failed', text: `${shown} offers no TLS, without which no password is sent` }
  // RFC 5321, 4.2.1: 5yz is permanent.
  if (responseCode !== undefined)
    return { is: responseCode >= 500 ? 'refused' : 'failed', text: `${shown} answered ${responseCode}` }
  // Of TLS: only Node's own text says what is wrong with a certificate.
  const why = code === 'ESOCKET' ? oneLine(message.split(';')[0] ?? '') : (code ?? 'the delivery failed')
  return { is: 'failed', text: `${shown} cannot be reached: ${why}` }
}

function transportOf({ url, password }: MailServer) {
  const { protocol, hostname, port, username, password: inUrl } = new URL(url)
  const secure = protocol === 'smtps:'
  const pass = password ?? decodeURIComponent(inUrl)
  const to = `${hostname}:${port || (secure ? PORTS.smtps : PORTS.smtp)}`
  return {
    shown: `${protocol}//${to}`,
    options: {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(to.slice(to.lastIndexOf(':') + 1)),
      secure,
      // A password is not sent where others can read it.
      requireTLS: !secure && username !== '',
      ...(username !== '' && { auth: { user: decodeURIComponent(username), pass } }),
    },
  }
}
