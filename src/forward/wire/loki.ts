/** Lines as Loki takes them. Pure. https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs */
import type { Batch } from '../batch.ts'

const PATH = '/loki/api/v1/push'

/** @param labels of the target, beside those of the slot */
export const lokiBody = ({ node, slots }: Batch, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify({
    streams: slots.map(({ slot, profile, lines }) => ({
      stream: { ...labels, job: 'hermes', slot, ...(profile !== undefined && { profile }), node },
      values: lines.map(({ ns, text }) => [`${ns}`, text]),
    })),
  })

/** @param url of the server, or of its push API */
export const lokiAddress = (url: string): string => withPath(url, PATH)

/** @param path that the address gets, unless it ends with it */
export function withPath(url: string, path: string): string {
  const address = new URL(url)
  if (!address.pathname.endsWith(path)) address.pathname = `${address.pathname.replace(/\/$/, '')}${path}`
  return address.href
}
