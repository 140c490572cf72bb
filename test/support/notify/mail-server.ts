/** A real mail server that keeps what was sent to it. */
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  readonly user: string | undefined
  readonly recipients: readonly string[]
  /** Headers and text. */
  readonly raw: string
}

export interface MailServer extends AsyncDisposable {
  /** host:port */
  readonly host: string
  readonly mails: readonly ReceivedMail[]
}

/** @param options also `secure`, `key` and `cert`; without them it has no TLS */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = []
  const server = new SMTPServer({
    disableReverseLookup: true,
    closeTimeout: 1,
    authOptional: true,
    ...(options.cert === undefined && { disabledCommands: ['STARTTLS'] }),
    onData(stream, { user, envelope }, done) {
      let raw = ''
      stream.setEncoding('utf8').on('data', (text: string) => {
        raw += text
      })
      stream.on('end', () => {
        mails.push({ user, recipients: envelope.rcptTo.map(({ address }) => address), raw })
        done()
      })
    },
    ...options,
  })
  // A client that refuses its certificate: the client reports it.
  server.on('error', () => undefined)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    mails,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed())),
  }
}
