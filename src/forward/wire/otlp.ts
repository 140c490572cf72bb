/** Lines as OpenTelemetry's protocol has them, in JSON. Pure. https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { readLine } from '../../log/line-facts.ts'
import type { Level } from '../../log/line-level.ts'
import type { Batch, SentLine } from '../batch.ts'
import { withPath } from './loki.ts'

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const SEVERITIES: Readonly<Record<Level, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 }

/** @param labels of the target, as attributes beside those of the slot */
export const otlpBody = ({ node, slots }: Batch, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify({
    resourceLogs: slots.map(({ slot, profile, lines }) => ({
      resource: {
        attributes: attributesOf({
          ...labels,
          'service.name': 'hermes',
          'service.instance.id': `${slot}@${node}`,
          'host.name': node,
          'hermes.slot': slot,
          ...(profile !== undefined && { 'hermes.profile': profile }),
        }),
      },
      scopeLogs: [{ scope: { name: 'hermes' }, logRecords: lines.map(recordOf) }],
    })),
  })

const attributesOf = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }))

function recordOf({ ns, text }: SentLine) {
  const { level } = readLine(text)
  return {
    timeUnixNano: `${ns}`,
    ...(level !== undefined && { severityNumber: SEVERITIES[level], severityText: level.toUpperCase() }),
    body: { stringValue: text },
  }
}

/** @param url of the endpoint, or of its logs */
export const otlpAddress = (url: string): string => withPath(url, '/v1/logs')
