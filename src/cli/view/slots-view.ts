import type { Death, ReloadResult, SlotStatus, StatusResult } from '../../protocol/control.ts'
import { oneLine } from '../../system/text/foreign-text.ts'

export const managerLine = (status: Pick<StatusResult, 'manager'>): string =>
  `Manager: ${status.manager === 's6-compatible' ? 's6 (container supervisor)' : 'foreground'}`

/** It runs at times, and waits for the next one: all is well. */
export const isBetweenRuns = ({ state, nextStartAt }: Pick<SlotStatus, 'state' | 'nextStartAt'>): boolean =>
  state === 'down' && nextStartAt !== undefined

/** `up, ready`: what a slot does, in words. */
export function stateText(slot: SlotStatus): string {
  if (isBetweenRuns(slot)) return 'down, scheduled'
  if (slot.state === 'down' && slot.wanted !== 'down') return 'down, wanted up'
  if (slot.state === 'up' && slot.wanted === 'down') return 'up, wanted down'
  return slot.state === 'up' && !slot.ready ? 'up, not ready' : slot.state
}

/** Everything known about one slot, a fact a line; unknown facts have none. */
export function slotDetails(slot: SlotStatus, wallMs: number): string {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['state', stateText(slot)],
    ['wanted', slot.wanted],
    ['ready', slot.ready ? 'yes' : 'no'],
    ['pid', slot.pid?.toString()],
    [slot.state === 'up' ? 'uptime' : 'since', `${ageText(slot.since, wallMs)} (since ${slot.since})`],
    ['restarts', String(slot.restarts)],
    ['last death', slot.lastDeath && deathText(slot.lastDeath)],
    [
      'next start',
      slot.nextStartAt &&
        `in ${durationText(Math.max(0, Date.parse(slot.nextStartAt) - wallMs))} (${slot.nextStartAt})`,
    ],
    ['reason', slot.reason],
    ['health', slot.health && [slot.health, ...(slot.evidence ?? [])].join(', ')],
    ['log', slot.log],
  ]
  const known = facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(11)}${oneLine(value)}`]))
  return `${[slot.slot, ...known].join('\n')}\n`
}

/** A table of slots, one a line. */
export function slotsTable(slots: readonly SlotStatus[], wallMs: number): string {
  const rows = slots.map((slot) => [
    slot.slot,
    stateText(slot),
    slot.pid === undefined ? '-' : String(slot.pid),
    ageText(slot.since, wallMs),
    String(slot.restarts),
    slot.reason ?? (slot.lastDeath ? `last death ${deathText(slot.lastDeath)}` : ''),
  ])
  return table([['SLOT', 'STATE', 'PID', 'FOR', 'RESTARTS', ''], ...rows])
}

/** Columns as wide as their widest cell, the last one as it comes. */
export function table(unchecked: readonly (readonly string[])[]): string {
  // A line break in a cell would make up a row.
  const rows = unchecked.map((row) => row.map(oneLine))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** `exit code 1 at 2026-11-22T12:15:18Z after 3 s` */
export function deathText(death: Death): string {
  const how = 'signal' in death ? `SIG${death.signal}` : `exit code ${death.exitCode}`
  return `${how} at ${death.at}${death.upMs === undefined ? '' : `, after ${durationText(death.upMs)}`}`
}

export const ageText = (since: string, wallMs: number): string => durationText(Math.max(0, wallMs - Date.parse(since)))

/** `350 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return '?'
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = Math.floor(ms / 1000)
  if (s < 60) return `${s} s`
  if (s < 3600) return inUnits(s, [60, 'min'], [1, 's'])
  if (s < 86_400) return inUnits(s, [3600, 'h'], [60, 'min'])
  return inUnits(s, [86_400, 'd'], [3600, 'h'])
}

function inUnits(
  s: number,
  [bigSeconds, big]: readonly [number, string],
  [smallSeconds, small]: readonly [number, string],
): string {
  const rest = Math.floor((s % bigSeconds) / smallSeconds)
  return `${Math.floor(s / bigSeconds)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`
}

/** One line for each service that a reload starts, stops or restarts, or would. */
export function reloadText({ dryRun, added, removed, changed, unchanged }: ReloadResult): string {
  const lines = [
    ...added.map((name) => `${dryRun ? 'would start' : 'started'} ${name}: it is new`),
    ...removed.map((name) => `${dryRun ? 'would stop' : 'stopped'} ${name}: it is not defined any more`),
    ...changed.map((name) => `${dryRun ? 'would restart' : 'restarted'} ${name}: it has changed`),
  ]
  const rest = `${unchanged} ${unchanged === 1 ? 'service is' : 'services are'} unchanged`
  return [...lines, lines.length === 0 ? `nothing to do: ${rest}` : rest, ''].join('\n')
}
