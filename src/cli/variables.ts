/** The environment variables that users may set. A test compares docs/environment.md with this list. */
export interface VariableSpec {
  readonly name: string
  /** The default, as shown in the table; `–` means none. */
  readonly value: string
  readonly meaning: string
}

const spec = (name: string, value: string, meaning: string): VariableSpec => ({ name, value, meaning })

export const VARIABLES: readonly VariableSpec[] = [
  spec(
    'HERMES_HOME',
    '`/opt/data` in the image',
    'data directory (the volume); default in a checkout: `./.hermes`, elsewhere: `~/.hermes`',
  ),
  spec(
    'HERMES_HOME_MODE',
    '–',
    'octal mode set on the data directory at boot; `0700` closes it to other users ([why](security.md#one-uid-for-all-profiles)); if unset, the mode is left unchanged',
  ),
  spec(
    'HERMES_UID',
    '10000',
    'uid of the runtime user, a whole number from 1 to 65534; an empty value counts as unset; any other value ends the container with exit code 1. init reads it, so it does not count with `--entrypoint hermes`',
  ),
  spec('HERMES_GID', '10000', 'gid of the runtime group, same rules as `HERMES_UID`'),
  spec('PUID', '–', 'alternative name for `HERMES_UID`, which takes precedence'),
  spec('PGID', '–', 'alternative name for `HERMES_GID`, which takes precedence'),
  spec('HERMES_DASHBOARD', 'off', 'truthy: start the dashboard'),
  spec('HERMES_DASHBOARD_HOST', '`0.0.0.0` in a container, else `127.0.0.1`', 'bind address of the dashboard'),
  spec('HERMES_DASHBOARD_PORT', '9119', 'port of the dashboard'),
  spec(
    'HERMES_DASHBOARD_INSECURE',
    'off',
    'truthy: require no log-in; anyone who can reach the port has full control ([what that exposes](dashboard.md#what-hermes_dashboard_insecure-exposes))',
  ),
  spec('HERMES_DASHBOARD_TUI', 'off', 'truthy: enable the terminal tab of the dashboard'),
  spec('HERMES_DASHBOARD_OAUTH_CLIENT_ID', '–', 'client ID for log-in with OpenID Connect'),
  spec('HERMES_DASHBOARD_OAUTH_CLIENT_SECRET', '–', 'client secret for OpenID Connect'),
  spec(
    'HERMES_DASHBOARD_OAUTH_CLIENT_SECRET_FILE',
    '–',
    'file with the client secret ([secrets in files](#secrets-in-files))',
  ),
  spec('HERMES_DASHBOARD_OIDC_ISSUER', '–', 'issuer URL for OpenID Connect'),
  spec('HERMES_DASHBOARD_OIDC_NAME', '`nous`', 'name of the OpenID Connect provider, shown on the log-in page'),
  spec(
    'HERMES_DASHBOARD_OIDC_SCOPES',
    '`openid profile email`',
    'scopes requested from the provider; some providers also need `offline_access`',
  ),
  spec('HERMES_DASHBOARD_BASIC_AUTH_USERNAME', '–', 'user name for log-in with a password'),
  spec('HERMES_DASHBOARD_BASIC_AUTH_PASSWORD', '–', 'password for log-in'),
  spec(
    'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_FILE',
    '–',
    'file with the password ([secrets in files](#secrets-in-files))',
  ),
  spec(
    'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
    '–',
    'hash of the password, instead of the password itself; made by `hermes dashboard hash-password`',
  ),
  spec(
    'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH_FILE',
    '–',
    'file with the hash of the password ([secrets in files](#secrets-in-files))',
  ),
  spec(
    'HERMES_DASHBOARD_BASIC_AUTH_USERS',
    '–',
    'users with their roles, one a line: `NAME:ROLE:HASH` ([roles](access.md#roles-of-people))',
  ),
  spec('HERMES_DASHBOARD_BASIC_AUTH_USERS_FILE', '–', 'file with these users ([secrets in files](#secrets-in-files))'),
  spec(
    'HERMES_DASHBOARD_OIDC_ROLES',
    'everyone is admin',
    "roles of the provider's groups, `GROUP=ROLE,…` ([roles](access.md#roles-of-people))",
  ),
  spec('HERMES_DASHBOARD_OIDC_GROUPS_CLAIM', '`groups`', 'claim with the groups of a user'),
  spec(
    'HERMES_DASHBOARD_ALLOWED_USERS',
    '–',
    'email addresses or subjects that may log in, separated by commas; if unset, everyone whom the provider accepts',
  ),
  spec(
    'HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL',
    'off',
    'truthy: accept an email address without `email_verified: true`',
  ),
  spec(
    'HERMES_DASHBOARD_PUBLIC_URL',
    '–',
    'URL at which a proxy serves the dashboard; if it has a path, the proxy must strip that path',
  ),
  spec(
    'HERMES_DASHBOARD_TRUSTED_PROXIES',
    '–',
    'addresses and networks of proxies whose `X-Forwarded-*` headers are trusted, separated by commas',
  ),
  spec(
    'HERMES_DASHBOARD_KEY_FILE',
    '–',
    'file with the session key, 32 bytes in base64 (`openssl rand -base64 32`), which init reads as root; if unset, a key is generated and kept in `/var/lib/hermes-dashboard`',
  ),
  spec(
    'HERMES_DASHBOARD_PUBLIC_API',
    'on',
    'set to any value that is not truthy: require a log-in for the public API paths too',
  ),
  spec(
    'HERMES_METER_PORT',
    '8643',
    'port of the [meter](usage.md) on 127.0.0.1, for containers with the network of the host',
  ),
  spec(
    'HERMES_FRONT_PORT',
    '–',
    'port that serves the API servers of all profiles at `/p/NAME/v1`; if unset, there is none ([front port](front-port.md))',
  ),
  spec('HERMES_FRONT_HOST', '`0.0.0.0` in a container, else `127.0.0.1`', 'bind address of the front port'),
  spec('HERMES_DOCKER_EXEC_AS_ROOT', 'off', 'truthy: `hermes` stays root when root runs it'),
  spec(
    'HERMES_GATEWAY_NO_SUPERVISE',
    'off',
    'truthy: run `gateway run` without supervision when it is the main program',
  ),
  spec('HERMES_ALLOW_ROOT_GATEWAY', 'off', 'truthy: allow a gateway to run as root'),
  spec(
    'HERMES_ALLOW_NEW_PRIVS',
    'off',
    'truthy: let setuid programs of the image, such as sudo, gain privileges in gateways and the main program ([why they do not by default](security.md#new-privileges-and-processes))',
  ),
  spec(
    'HERMES_MAX_PROCESSES',
    '–',
    'maximum number of processes and threads of a slot, 64 or more (`RLIMIT_NPROC`, which counts all processes of the runtime uid **on the whole host**, including other containers, so set it well above what you need); `0` disables the limit and the cgroups ([the limit when unset](security.md#new-privileges-and-processes))',
  ),
  spec('HERMES_GATEWAY_BOOTSTRAP_STATE', '–', '`running`: start the default gateway at the first boot of a new volume'),
  spec('HERMES_STOP_TIMEOUT', '8', 'time limit for stopping the container, in seconds'),
  spec(
    'HERMES_RUN_DIR',
    '`/run/hermes` in the image',
    'directory of the control socket and the log FIFOs; for the default outside the image see ARCHITECTURE.md',
  ),
  spec('HERMES_METRICS_TOKEN', '–', 'bearer token that allows reading `/metrics`'),
  spec('HERMES_METRICS_TOKEN_FILE', '–', 'file with the bearer token ([secrets in files](#secrets-in-files))'),
  spec(
    'HERMES_AGENT_TIMEOUT',
    '–',
    'time without output, in seconds, after which the built-in gateway stops waiting for its agent',
  ),
  spec(
    'HERMES_BACKUP_PASSPHRASE_FILE',
    '–',
    'file with the passphrase of `hermes backup --encrypt` and of `hermes restore` ([backup](backup.md))',
  ),
  spec(
    'LOG_FORMAT',
    '`text`',
    "`json`: write hermes' own log lines as JSON. `json-all`: write the lines of slots in `docker logs` as JSON too, `{time, slot, line}`",
  ),
  spec('HERMES_KANBAN_BOARD', '`default`', 'board used by the `kanban` commands'),
  spec(
    'HERMES_KANBAN_DATABASE',
    '–',
    'address of a PostgreSQL database, `postgres://USER:PASSWORD@HOST/DATABASE`, that keeps the boards instead of the volume ([a board in PostgreSQL](postgresql.md)); not given to gateways and workers',
  ),
  spec(
    'HERMES_KANBAN_DATABASE_FILE',
    '–',
    'file with the address of the database ([secrets in files](#secrets-in-files))',
  ),
  spec(
    'HERMES_NODE',
    'the name of the host at the first start',
    'name of this node, if its boards are in a database: 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`; no two nodes may have the same',
  ),
  spec(
    'HERMES_NODE_LABELS',
    '–',
    'labels of this node, separated by commas, such as `gpu,region=eu`, for [tasks that need them](kanban.md#tasks-for-any-profile-or-with-needs); takes precedence over `kanban.labels`',
  ),
  spec(
    'HERMES_NODE_TOKEN',
    '–',
    'one secret of all nodes, 16 or more characters, with which their dashboards steer gateways of each other ([more than one node](dashboard.md#gateways-of-other-nodes)); for the dashboard only',
  ),
  spec('HERMES_NODE_TOKEN_FILE', '–', 'file with the node token ([secrets in files](#secrets-in-files))'),
  spec(
    'HERMES_NODE_URL',
    '–',
    'address at which other nodes reach the dashboard of this node, such as `https://h1.example`; without it they only show its state',
  ),
  spec(
    'HERMES_NODE_INSECURE',
    'off',
    'truthy: allow `http` addresses in `HERMES_NODE_URL` beyond this machine; the node token then crosses the network in clear',
  ),
  spec(
    'HERMES_PROFILE_UIDS',
    '–',
    'ids for walled profiles, such as `20000-29999`, which no user and no group of the image has ([walls](walls.md)); the dashboard then needs a log-in and each API server a key, on every address',
  ),
  spec(
    'HERMES_HELPER_TIMEOUT',
    '30',
    'time, in seconds, after which a dashboard or dispatcher that does not respond is killed and restarted',
  ),
  spec('HERMES_LOG_PREFIX', 'off', 'truthy: put `[slot] ` before each line of a slot in `docker logs`'),
  spec(
    'API_SERVER_ENABLED',
    'off',
    'truthy: enable the API server of the default profile; named profiles read the `API_SERVER_*` variables only from their own `.env`',
  ),
  spec('API_SERVER_HOST', '`127.0.0.1`', 'bind address of the API server'),
  spec('API_SERVER_PORT', '8642', 'port of the API server'),
  spec('API_SERVER_KEY', '–', 'key of the API server; required if the address is not loopback'),
  spec('API_SERVER_KEY_FILE', '–', 'file with the key of the API server ([secrets in files](#secrets-in-files))'),
  spec(
    'API_SERVER_CORS_ORIGINS',
    '–',
    'origins of web pages that may call the API server from a browser, separated by commas, or `*`',
  ),
  spec(
    'S6_BEHAVIOUR_IF_STAGE2_FAILS',
    '2',
    'as in s6-overlay: what happens when a boot hook or a service fails at boot: with 0 or 1 the boot continues; with 2 the container stops',
  ),
  spec(
    'S6_KEEP_ENV',
    '0',
    'as in s6-overlay: if not 0, services get the whole environment, and `with-contenv` does not change it',
  ),
  spec(
    'S6_KILL_GRACETIME',
    '–',
    'milliseconds from TERM to KILL when the container stops; used if `HERMES_STOP_TIMEOUT` is not set. Upper bound: the stop proceeds as soon as every process has exited. Values below 1500 are raised halfway towards 1500',
  ),
  spec(
    'S6_CMD_WAIT_FOR_SERVICES',
    '0',
    'if not 0, the main program waits for every service that starts with the container, not only for oneshots and services of s6-rc',
  ),
  spec(
    'S6_CMD_WAIT_FOR_SERVICES_MAXTIME',
    '0',
    'time limit, in milliseconds, for boot hooks and for services that the main program waits for; afterwards `S6_BEHAVIOUR_IF_STAGE2_FAILS` applies; 0 means no limit',
  ),
  spec('S6_READ_ONLY_ROOT', '0', 'not needed: a read-only root works with a tmpfs on `/run`, also with `noexec`'),
  spec(
    'S6_VERBOSITY',
    '2',
    "which of hermes' own lines appear in `docker logs`: 0 errors; 1 errors and warnings; 2 and above all",
  ),
  spec(
    'S6_LOGGING_SCRIPT',
    'n20 s1000000 T',
    'number and size of the files that `logutil-service` keeps, and whether lines get timestamps',
  ),
]

/** Variables that hermes sets for the programs it starts; users never set them. */
export const INTERNAL_VARIABLES: readonly VariableSpec[] = [
  spec(
    'HERMES_HANDOVER_FD',
    '–',
    'descriptor on which init passes the dashboard and the dispatcher their secrets; only init sets it',
  ),
  spec('HERMES_SUPERVISED', '', '`1` for every process inside a slot'),
  spec('HERMES_MAIN', '', 'pid of the main program of the container'),
  spec('HERMES_ENVIRON_OF', '', 'pid of the process from which init reads the original environment of the container'),
  spec(
    'HERMES_OWN_SESSION',
    '',
    'id of the session in which `hermes`, started from a root shell, has its own terminal',
  ),
  spec('HERMES_SLOT', '', 'name of the slot'),
  spec('HERMES_NOTIFY_ID', '', 'for a command of a target in `notify`: id of the message'),
  spec('HERMES_NOTIFY_EVENT', '', 'likewise: its event, such as parked'),
  spec('HERMES_REPLICA', '', 'number of the instance, for a service with `replicas`'),
  spec('HERMES_PROFILE', '', 'name of the profile; commands inside the slot use it when `-p` is not given'),
  spec('HERMES_SECRETS', '', 'names of the variables that come from [`secrets`](secrets.md), separated by spaces'),
  spec('HERMES_SESSION', '', 'session of the conversation, for the program of `agent.command`'),
  spec(
    'HERMES_USAGE_FILE',
    '',
    'file in which the program of `agent.command` [reports its usage](use-your-own-agent.md#report-what-an-answer-has-used)',
  ),
  spec('HERMES_KANBAN_TASK', '', 'ID of the task that the worker runs'),
  spec('HERMES_KANBAN_WORKSPACE', '', 'working directory of the task'),
  spec('HERMES_KANBAN_RUN_ID', '', 'ID of the run'),
  spec(
    'HERMES_KANBAN_CONTEXT',
    '',
    'JSON file with what is [handed over](kanban-hand-over.md#the-context-file) to the run; removed with the run',
  ),
  spec('HERMES_KANBAN_DB', '', 'database file of the board; not set if the board is in PostgreSQL'),
  spec('HERMES_PROFILE_HOME', '', "the profile's directory"),
]
