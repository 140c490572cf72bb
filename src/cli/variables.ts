/** The environment variables that people may set: docs/environment.md is tested against this list. */
export interface VariableSpec {
  readonly name: string
  /** As in the table; `–`: none. */
  readonly value: string
  readonly meaning: string
}

const spec = (name: string, value: string, meaning: string): VariableSpec => ({ name, value, meaning })

export const VARIABLES: readonly VariableSpec[] = [
  spec('HERMES_HOME', '`/opt/data` in the image', 'the volume; in a checkout `./.hermes`, else `~/.hermes`'),
  spec(
    'HERMES_HOME_MODE',
    '–',
    'octal mode that a boot gives the directory of the volume, such as `0700`, which closes it to other users ([why](security.md#one-uid-for-all-profiles)); unset: it stays as it is',
  ),
  spec(
    'HERMES_UID',
    '10000',
    'runtime user, a whole number from 1 to 65534; an empty one counts as unset, anything else ends the container with 1',
  ),
  spec('HERMES_GID', '10000', 'runtime group, likewise'),
  spec('PUID', '–', 'as `HERMES_UID`, which wins'),
  spec('PGID', '–', 'as `HERMES_GID`, which wins'),
  spec('HERMES_DASHBOARD', 'off', 'truthy: the dashboard slot is wanted up'),
  spec('HERMES_DASHBOARD_HOST', '`0.0.0.0` in a container, else `127.0.0.1`', 'bind address of the dashboard'),
  spec('HERMES_DASHBOARD_PORT', '9119', 'its port'),
  spec(
    'HERMES_DASHBOARD_INSECURE',
    'off',
    'truthy: no log-in: anyone who reaches the port is the operator ([what that exposes](dashboard.md#what-hermes_dashboard_insecure-exposes))',
  ),
  spec('HERMES_DASHBOARD_TUI', 'off', 'truthy: the terminal tab in the browser'),
  spec('HERMES_DASHBOARD_OAUTH_CLIENT_ID', '–', 'log-in by OpenID Connect: client'),
  spec('HERMES_DASHBOARD_OAUTH_CLIENT_SECRET', '–', 'its secret'),
  spec('HERMES_DASHBOARD_OIDC_ISSUER', '–', 'its issuer'),
  spec('HERMES_DASHBOARD_OIDC_NAME', '`nous`', 'name of the provider on the log-in page'),
  spec(
    'HERMES_DASHBOARD_OIDC_SCOPES',
    '`openid profile email`',
    'what it is asked for; some want `offline_access` too',
  ),
  spec('HERMES_DASHBOARD_BASIC_AUTH_USERNAME', '–', 'log-in by name and password'),
  spec('HERMES_DASHBOARD_BASIC_AUTH_PASSWORD', '–', 'the password'),
  spec('HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH', '–', 'or its hash: `hermes dashboard hash-password`'),
  spec(
    'HERMES_DASHBOARD_ALLOWED_USERS',
    '–',
    'mail addresses or subjects that may enter, with commas; unset: everyone whom the provider lets in',
  ),
  spec('HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL', 'off', 'truthy: an address counts without `email_verified: true`'),
  spec(
    'HERMES_DASHBOARD_PUBLIC_URL',
    '–',
    'URL under which a proxy serves the dashboard; a path in it must be stripped by the proxy',
  ),
  spec(
    'HERMES_DASHBOARD_TRUSTED_PROXIES',
    '–',
    'addresses and networks whose `X-Forwarded-*` is believed, with commas',
  ),
  spec(
    'HERMES_DASHBOARD_KEY_FILE',
    '–',
    'file with the key of its sessions, 32 bytes in base64 (`openssl rand -base64 32`); init reads it as root. Unset: one is made and kept in `/var/lib/hermes-dashboard`',
  ),
  spec('HERMES_DASHBOARD_PUBLIC_API', 'on', 'set to anything not truthy: the public API paths want a log-in too'),
  spec('HERMES_DOCKER_EXEC_AS_ROOT', 'off', 'truthy: `hermes` called by root stays root'),
  spec('HERMES_GATEWAY_NO_SUPERVISE', 'off', 'truthy: `gateway run` as main program is the gateway itself'),
  spec('HERMES_ALLOW_ROOT_GATEWAY', 'off', 'truthy: a gateway may run as root'),
  spec(
    'HERMES_ALLOW_NEW_PRIVS',
    'off',
    'truthy: setuid programs of the image, such as sudo, work for gateways and the main program ([why they do not](security.md#new-privileges-and-processes))',
  ),
  spec(
    'HERMES_MAX_PROCESSES',
    '–',
    'most processes and threads of a slot, from 64 (`RLIMIT_NPROC`; it counts the runtime uid **on the whole host**, other containers included, so set it well above what you need); `0`: no limit, and no cgroups either ([the limit without it](security.md#new-privileges-and-processes))',
  ),
  spec(
    'HERMES_GATEWAY_BOOTSTRAP_STATE',
    '–',
    'exactly `running`: on a new volume the default gateway starts at first boot',
  ),
  spec('HERMES_STOP_TIMEOUT', '8', 'seconds for the whole stop'),
  spec('HERMES_RUN_DIR', '`/run/hermes` in the image', 'control socket and log FIFOs; elsewhere see ARCHITECTURE.md'),
  spec('HERMES_METRICS_TOKEN', '–', 'bearer token that may scrape `/api/metrics`'),
  spec(
    'HERMES_AGENT_TIMEOUT',
    '–',
    'seconds without a sign of life after which the built-in gateway gives up waiting for its agent',
  ),
  spec('LOG_FORMAT', '`text`', "`json`: hermes' own log lines as JSON"),
  spec('HERMES_KANBAN_BOARD', '`default`', 'board that the `kanban` commands use'),
  spec(
    'HERMES_HELPER_TIMEOUT',
    '30',
    'seconds after which a dashboard or dispatcher that does not answer is killed and started again',
  ),
  spec('HERMES_LOG_PREFIX', 'off', 'truthy: `[slot] ` before each line of a slot in `docker logs`'),
  spec(
    'API_SERVER_ENABLED',
    'off',
    "truthy: the default profile's API server; named profiles take these five from their own `.env` only",
  ),
  spec('API_SERVER_HOST', '`127.0.0.1`', 'its bind address'),
  spec('API_SERVER_PORT', '8642', 'its port'),
  spec('API_SERVER_KEY', '–', 'its key, needed where the address is not loopback'),
  spec('API_SERVER_CORS_ORIGINS', '–', 'web pages that may use it from a browser: origins with commas, or `*`'),
  spec(
    'S6_BEHAVIOUR_IF_STAGE2_FAILS',
    '2',
    'as s6-overlay: 0 and 1 go on after a boot hook or a service failed at boot, 2 stops the container',
  ),
  spec(
    'S6_KEEP_ENV',
    '0',
    'as s6-overlay: not 0, and services get the whole environment, which `with-contenv` leaves as it is',
  ),
  spec(
    'S6_KILL_GRACETIME',
    '–',
    'milliseconds from TERM to KILL when the container stops, where `HERMES_STOP_TIMEOUT` is not set; never slept out; below 1500 halfway to that',
  ),
  spec(
    'S6_CMD_WAIT_FOR_SERVICES',
    '0',
    'not 0: the main program waits for every service that starts with the container, not only for oneshots and those of s6-rc',
  ),
  spec(
    'S6_CMD_WAIT_FOR_SERVICES_MAXTIME',
    '0',
    'milliseconds that hooks and services may take until then; after them `S6_BEHAVIOUR_IF_STAGE2_FAILS` decides; 0 = no limit',
  ),
  spec('S6_READ_ONLY_ROOT', '0', 'not needed: a read-only root works with a tmpfs on `/run`, noexec too'),
  spec('S6_VERBOSITY', '2', "which of hermes' own lines `docker logs` shows: 0 errors, 1 warnings too, 2 and more all"),
  spec(
    'S6_LOGGING_SCRIPT',
    'n20 s1000000 T',
    'how many files of what size `logutil-service` keeps, and whether with stamps',
  ),
]

/** Set by hermes for what it starts, never by people. */
export const INTERNAL_VARIABLES: readonly VariableSpec[] = [
  spec('HERMES_HANDOVER_FD', '–', 'descriptor on which init hands the dashboard its secrets; set by init alone'),
  spec('HERMES_SUPERVISED', '', '`1` in everything that runs inside a slot'),
  spec('HERMES_MAIN', '', 'pid of the main program of the container'),
  spec('HERMES_ENVIRON_OF', '', 'process in which init finds the environment of the container as it came'),
  spec('HERMES_OWN_SESSION', '', 'session in which `hermes`, typed into a shell of root, has a terminal of its own'),
  spec('HERMES_SLOT', '', 'name of the slot'),
  spec('HERMES_PROFILE', '', 'name of the profile; commands inside the slot mean it without `-p`'),
  spec('HERMES_SESSION', '', 'session of the conversation, for a program that answers (`agent.command`)'),
  spec('HERMES_KANBAN_TASK', '', 'task that this worker does'),
  spec('HERMES_KANBAN_WORKSPACE', '', 'directory it works in'),
  spec('HERMES_KANBAN_RUN_ID', '', 'this try at it'),
  spec('HERMES_KANBAN_DB', '', 'file of the board'),
  spec('HERMES_PROFILE_HOME', '', "the profile's directory"),
]
