import { NOTHING, sees } from '../../access/scope.ts'
import { readLogPage } from '../../log/history/log-page.ts'
import { requireProfile } from '../../profile/directory/disk.ts'
import { readTail } from '../../system/files/small-file.ts'
import { gatewaySlot, homePaths, slotLogDir } from '../../system/paths.ts'
import type { Handlers } from '../contract/handler.ts'
import { parseBootLine } from './boot-line.ts'
import type { ApiFacts } from './facts.ts'

const DEFAULT_LINES = 500
/** Some 1,500 lines of the boot log. */
const BOOT_TAIL_BYTES = 192 * 1024

export function logHandlers(facts: ApiFacts): Pick<Handlers, 'logs' | 'followLogs' | 'bootLog'> {
  const slotOf = ({ name = '' }: Readonly<Record<string, string>>): string =>
    gatewaySlot(requireProfile(facts.home, name).name)
  return {
    logs: ({ params, query }) => {
      const slot = slotOf(params)
      const page = readLogPage(slot, slotLogDir(facts.home, slot), {
        lines: query.lines ?? DEFAULT_LINES,
        before: query.before,
        untilMs: query.until === undefined ? undefined : Date.parse(query.until),
        search: query.search || undefined,
      })
      const lines = page.lines.map(({ at, text }) => ({ ...(at === undefined ? {} : { at }), text }))
      return { status: 200, body: { lines, ...(page.before === undefined ? {} : { before: page.before }) } }
    },
    followLogs: (call) => {
      const slot = slotOf(call.params)
      facts.stream(call, (viewer) => facts.logs.add(slot, viewer))
      return { stream: true }
    },
    bootLog: ({ rights = NOTHING }) => {
      const { bootLog } = homePaths(facts.home)
      const text = [`${bootLog}.1`, bootLog].map((file) => readTail(file, BOOT_TAIL_BYTES).text ?? '').join('')
      const lines = text.split('\n').flatMap((line) => parseBootLine(line) ?? [])
      return { status: 200, body: { lines: lines.filter(({ profile }) => sees(rights, profile)) } }
    },
  }
}
