// Service trees as authors of s6-overlay images write them, and stand-ins for the servers they start. Each stand-in
// notes in $ORDER_FILE, or /run/order, what happens to it.
import type { Etc } from './service-box.ts'

const note = `note() { echo "$*" >>"\${ORDER_FILE:-/run/order}"; }\n`

/** Programs in /usr/local/bin, by name. */
export const STAND_INS: Etc = {
  nginx: `#!/bin/sh
${note}trap 'echo "nginx: bye"; note nginx stops; exit 0' QUIT
trap 'note nginx was killed the hard way; exit 1' TERM
[ "$*" = "-g daemon off;" ] || exit 64
[ -e /run/nginx.conf ] || { echo "no configuration"; exit 65; }
note "nginx starts as $(id -u), APP=$APP"
echo "nginx: listening"
while :; do sleep 0.05; done
`,
  'redis-server': `#!/bin/sh
${note}trap 'note redis stops; exit 0' TERM
note redis starts
echo "redis: loading"
sleep 0.5
note redis is ready
echo >&5
exec 5>&-
while :; do sleep 0.05; done
`,
  worker: `#!/bin/sh
${note}trap 'note worker stops; exit 0' TERM
note worker starts
echo "worker: connected"
while :; do sleep 0.05; done
`,
}

const rc = (name: string, files: Etc): Etc =>
  Object.fromEntries(Object.entries(files).map(([file, text]) => [`s6-overlay/s6-rc.d/${name}/${file}`, text]))
/** As since s6-overlay 3.2.3; before, in s6-rc.d/user. */
const user = (...names: readonly string[]): Etc =>
  Object.fromEntries(names.map((name) => [`s6-overlay/user-bundles.d/user/contents.d/${name}`, '']))

/** A web server, a oneshot before it and a logger behind it. */
export const NGINX: Etc = {
  ...user('nginx-pipeline'),
  ...rc('init-nginx', {
    type: 'oneshot\n',
    up: '/etc/s6-overlay/s6-rc.d/init-nginx/run\n',
    run: `#!/command/with-contenv sh\n${note}sleep 0.3\ntouch /run/nginx.conf\nnote init done\n`,
    'dependencies.d/base': '',
  }),
  ...rc('svc-nginx', {
    type: 'longrun\n',
    run: '#!/command/with-contenv sh\nexec 2>&1\nexec nginx -g "daemon off;"\n',
    'down-signal': 'SIGQUIT\n',
    'dependencies.d/init-nginx': '',
    'producer-for': 'svc-nginx-log\n',
  }),
  ...rc('svc-nginx-log', {
    type: 'longrun\n',
    run: `#!/command/with-contenv sh\n${note}mkdir -p /run/nginx-log\nwhile read -r line; do echo "$line" >>/run/nginx-log/current; echo "logged: $line"; done\nnote logger saw the end\n`,
    'consumer-for': 'svc-nginx\n',
    'pipeline-name': 'nginx-pipeline\n',
  }),
}

/** A database that says when it is ready, and a worker that needs it. */
export const REDIS: Etc = {
  // Its type is brought by s6-overlay.
  ...rc('user', { 'contents.d/worker': '' }),
  ...rc('redis', {
    type: 'longrun\n',
    run: '#!/bin/sh\nexec /usr/local/bin/redis-server\n',
    'notification-fd': '5\n',
    'timeout-up': '20000\n',
  }),
  ...rc('worker', {
    type: 'longrun\n',
    run: '#!/bin/sh\nexec /usr/local/bin/worker\n',
    'dependencies.d/redis': '',
  }),
}

/** A loop that does something now and then. */
export const CRON: Etc = {
  'services.d/cron/run': `#!/bin/sh\n${note}trap 'note cron stops; exit 0' TERM\nnote "cron starts with $# argument: $1"\nwhile :; do echo tick; sleep 0.2 & wait $!; done\n`,
}

/** A service that cannot run, whose finish says so; and its logger, which goes on. */
export const FAILING: Etc = {
  'services.d/failing/run': `#!/bin/sh\n${note}note failing starts\necho "failing: giving up"\nexit 3\n`,
  'services.d/failing/finish': `#!/bin/sh\n${note}note "failing finishes with $1 $2 $3"\nexit 125\n`,
  'services.d/failing/log/run': `#!/bin/sh\n${note}while read -r line; do note "logged $line"; done\nnote failing-log saw the end\n`,
}

/** In services.yaml, whose loggers are ours. JSON is YAML. */
const yaml = (services: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Etc => ({
  'hermes/services.yaml': JSON.stringify({ services }),
})
const sh = (text: string, ...args: readonly string[]): readonly string[] => ['/bin/sh', '-c', `${note}${text}`, ...args]

export const NGINX_YAML = yaml({
  'init-nginx': { command: sh('sleep 0.3; touch /run/nginx.conf; note init done'), oneshot: true },
  'svc-nginx': { command: ['nginx', '-g', 'daemon off;'], depends_on: ['init-nginx'], stop_signal: 'QUIT' },
})

const atWork = { user: 'hermes', environment: { ORDER_FILE: '/tmp/order' } }
/** As the runtime user. */
export const REDIS_YAML = yaml({
  redis: { command: ['redis-server'], ready: { fd: 5 }, ...atWork },
  worker: { command: ['worker'], depends_on: ['redis'], ...atWork },
})

export const CRON_YAML = yaml({
  cron: {
    command: sh(
      `trap 'note cron stops; exit 0' TERM; note "cron starts with $# argument: $1"; while :; do echo tick; sleep 0.2 & wait $!; done`,
      'run',
      'cron',
    ),
  },
})

export const FAILING_YAML = yaml({
  failing: {
    command: sh('note failing starts; echo "failing: giving up"; exit 3'),
    finish: sh('note "failing finishes with $1 $2 $3"; exit 125', 'finish'),
  },
})
