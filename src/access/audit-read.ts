import { readTail } from '../system/files/small-file.ts'
import { homePaths } from '../system/paths.ts'
import { type AuditEntry, type AuditFilter, matches, parseAuditLine } from './audit-entry.ts'
import { KEPT_AUDIT_FILES, MAX_AUDIT_BYTES } from './audit-file.ts'

export interface AuditPage {
  /** The last ones that the filter lets through, oldest first. */
  readonly entries: readonly AuditEntry[]
  /** Files that cannot be read, a line each. */
  readonly problems: readonly string[]
}

/**
 * Reads the audit log from its end, as far as needed. Lines that are not entries are left out. Never throws.
 * @param limit largest number of entries
 */
export function readAudit(home: string, filter: AuditFilter, limit: number): AuditPage {
  const { auditLog } = homePaths(home)
  const found: AuditEntry[] = []
  const problems: string[] = []
  for (let number = 0; number <= KEPT_AUDIT_FILES && found.length < limit; number++) {
    const file = number === 0 ? auditLog : `${auditLog}.${number}`
    const { text, problem } = readTail(file, MAX_AUDIT_BYTES)
    if (problem !== undefined) problems.push(`${file} ${problem}`)
    for (const line of (text ?? '').split('\n').reverse()) {
      const entry = line === '' ? undefined : parseAuditLine(line)
      if (entry !== undefined && matches(entry, filter)) found.push(entry)
      if (found.length === limit) break
    }
  }
  return { entries: found.reverse(), problems }
}
