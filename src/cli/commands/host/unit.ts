import { secondsToMs } from '../../../system/text/seconds.ts'

/** The first line of units that hermes has written: only those are replaced. */
export const UNIT_MARK = '# Written by "hermes systemd install".'

/** Everything that a unit depends on. */
export interface UnitFacts {
  readonly kind: 'user' | 'system'
  /** The wrapper bin/hermes. */
  readonly hermes: string
  readonly home: string
  /** PATH of gateways. */
  readonly path: string
  /** Settings of the user who installs, such as HERMES_RUN_DIR. */
  readonly settings: Readonly<Record<string, string>>
  /** Name of the user who runs a system unit; undefined in the unit of a user. */
  readonly user: string | undefined
}

/** Time limit of a boot. */
const START_S = 120
/** Programs have HERMES_STOP_TIMEOUT to end, which is 8 s unless it is set. init is given more. */
const DEFAULT_STOP_MS = 8_000
const STOP_SLACK_MS = 30_000

/**
 * None of them needs a namespace, so that they hold in a user manager, too. Agents run any program: devices,
 * namespaces, the home and the network stay as they are. RestrictSUIDSGID would forbid the setgid directories through
 * which slots report to s6's tools.
 */
const HARDENING = [
  'NoNewPrivileges=yes',
  'RestrictRealtime=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
]
/** These need the system's manager. */
const SYSTEM_HARDENING = [
  'CapabilityBoundingSet=',
  'ProtectSystem=full',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
]

/** Text of a unit, as systemd.service(5) and systemd.exec(5) describe it. */
export function unitText({ kind, hermes, home, path, settings, user }: UnitFacts): string {
  const isSystem = kind === 'system'
  const stopMs = secondsToMs(settings.HERMES_STOP_TIMEOUT ?? '') ?? DEFAULT_STOP_MS
  const variables = { HERMES_HOME: home, PATH: path, ...settings }
  return [
    UNIT_MARK,
    '[Unit]',
    `Description=Hermes, supervised agent profiles in ${home.replaceAll('%', '%%')}`,
    // A user manager has no such target.
    ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    'Type=notify',
    // In a command, a dollar sign begins a variable.
    `ExecStart=${quoted(hermes).replaceAll('$', '$$$$')} start`,
    ...(user === undefined ? [] : [`User=${user}`]),
    ...Object.entries(variables).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    `TimeoutStartSec=${START_S}`,
    'Restart=on-failure',
    'RestartSec=2',
    '# TERM goes to Hermes alone, which stops its gateways.',
    'KillMode=mixed',
    `TimeoutStopSec=${Math.ceil((stopMs + STOP_SLACK_MS) / 1000)}`,
    ...HARDENING,
    ...(isSystem ? SYSTEM_HARDENING : []),
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n')
}

/** Between double quotes, with the specifiers and escapes of systemd.syntax(7). */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`
