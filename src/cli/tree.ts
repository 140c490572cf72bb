import { AUDIT_COMMANDS } from './commands/access/audit.ts'
import { TOKEN_COMMANDS } from './commands/access/token.ts'
import { BACKUP_COMMANDS, BACKUP_GROUP, IMPORT_GROUP } from './commands/backup/index.ts'
import { BASIC_COMMANDS } from './commands/basic.ts'
import { CHAT_COMMANDS } from './commands/chat.ts'
import { COMPLETION_GROUP, completionCommands } from './commands/completion/index.ts'
import { CONFIG_COMMANDS } from './commands/config.ts'
import { DOCTOR_COMMANDS } from './commands/doctor.ts'
import { ENV_COMMANDS } from './commands/env.ts'
import { GATEWAY_COMMANDS } from './commands/gateway.ts'
import { HOST_COMMANDS } from './commands/host/index.ts'
import { ATTACHMENT_COMMANDS } from './commands/kanban/attachments/commands.ts'
import { KANBAN_COMMANDS, KANBAN_GROUP } from './commands/kanban/index.ts'
import { LOGIN_COMMANDS } from './commands/login.ts'
import { LOG_COMMANDS } from './commands/logs.ts'
import { NODE_COMMANDS } from './commands/nodes.ts'
import { FORWARD_COMMANDS } from './commands/notify/forward.ts'
import { NOTIFY_COMMANDS } from './commands/notify/notify.ts'
import { PROFILE_COMMANDS } from './commands/profile.ts'
import { SETUP_COMMANDS } from './commands/setup.ts'
import { SLOT_COMMANDS } from './commands/slots.ts'
import { TOP_COMMANDS } from './commands/top/top.ts'
import { UPGRADE_COMMANDS, UPGRADE_GROUP } from './commands/upgrade/upgrade.ts'
import { USAGE_COMMANDS } from './commands/usage/usage.ts'
import { WALL_COMMANDS } from './commands/walls/wall.ts'
import type { Command, Group } from './context/command.ts'

export const GROUPS: readonly Group[] = [
  { name: 'profile', summary: 'Manage profiles' },
  { name: 'gateway', summary: 'Manage gateways; without a subcommand: run one in the foreground', alone: 'run' },
  { name: 'config', summary: "Read and write a profile's config.yaml" },
  {
    name: 'env',
    summary: "Show and change the environment of a profile's gateway; without a subcommand: show",
    alone: 'show',
  },
  KANBAN_GROUP,
  { name: 'forward', summary: 'Show where the lines of logs are sent' },
  { name: 'notify', summary: 'Show notifications, and send a test message' },
  BACKUP_GROUP,
  UPGRADE_GROUP,
  IMPORT_GROUP,
  { name: 'dashboard', summary: 'Manage the dashboard; without a subcommand: run it in the foreground', alone: 'run' },
  { name: 'token', summary: 'Manage API tokens of the dashboard, for programs' },
  { name: 'systemd', summary: 'Manage the unit with which systemd starts Hermes' },
  { name: 'service', summary: 'Manage the services that the image defines' },
  COMPLETION_GROUP,
]

export const COMMANDS: readonly Command[] = [
  ...PROFILE_COMMANDS,
  ...WALL_COMMANDS,
  ...GATEWAY_COMMANDS,
  ...HOST_COMMANDS,
  ...BASIC_COMMANDS,
  ...TOP_COMMANDS,
  ...BACKUP_COMMANDS,
  ...UPGRADE_COMMANDS,
  ...CHAT_COMMANDS,
  ...LOGIN_COMMANDS,
  ...SETUP_COMMANDS,
  ...LOG_COMMANDS,
  ...NODE_COMMANDS,
  ...NOTIFY_COMMANDS,
  ...FORWARD_COMMANDS,
  ...TOKEN_COMMANDS,
  ...AUDIT_COMMANDS,
  ...USAGE_COMMANDS,
  ...DOCTOR_COMMANDS,
  ...CONFIG_COMMANDS,
  ...ENV_COMMANDS,
  ...SLOT_COMMANDS,
  ...KANBAN_COMMANDS,
  ...ATTACHMENT_COMMANDS,
  ...completionCommands(
    () => COMMANDS,
    () => GROUPS,
  ),
]
