import { getCACertificates } from 'node:tls'

/** Node's own list and the system's: an image may have had a company's certificate installed. */
export const trustedCertificates = (): string[] => [
  ...new Set([...getCACertificates('default'), ...getCACertificates('system')]),
]
