// An image with this machine's PostgreSQL in place of the official one, which only a registry has: the same variables,
// directory and commands, as far as deploy/compose uses them.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'
import { postgresPrograms } from '../kanban/postgres.ts'
import { baseImage, hasImage } from './base-image.ts'
import { classicBuild } from './image.ts'

const IMAGE = 'hermes-test-postgres'

const ENTRYPOINT = `#!/bin/sh
set -eu
data=/var/lib/postgresql/data
mkdir -p "$data" /var/run/postgresql
chown 65534:65534 "$data" /var/run/postgresql
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
if [ ! -e "$data/PG_VERSION" ]; then
  password=$(mktemp)
  cat "$POSTGRES_PASSWORD_FILE" >"$password"
  chown 65534 "$password"
  as_user initdb -D "$data" --username="$POSTGRES_USER" --pwfile="$password" --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  as_user pg_ctl -D "$data" -w -o "-c listen_addresses=" start
  as_user createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  as_user pg_ctl -D "$data" -w stop
fi
program=$1; shift
exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$program" -D "$data" -c listen_addresses='*' \\
  -c unix_socket_directories=/var/run/postgresql "$@"
`

/** @returns its name */
export async function postgresImage(): Promise<string> {
  if (await hasImage(IMAGE)) return IMAGE
  const bin = postgresPrograms()
  if (bin === undefined) throw new Error('PostgreSQL is not installed')
  const base = await baseImage(() => undefined)
  const context = mkdtempSync(join(tmpdir(), 'hermes-postgres-image-'))
  try {
    const copy = (path: string): void => {
      // /lib is a link, which COPY would replace.
      const to = join(context, 'root', path.replace(/^\/lib\//, '/usr/lib/'))
      mkdirSync(dirname(to), { recursive: true })
      cpSync(path, to, { recursive: true, dereference: true })
    }
    const version = bin.split('/').at(-2)
    for (const path of [dirname(bin), `/usr/share/postgresql/${version}`, '/usr/share/zoneinfo']) copy(path)
    const programs = ['postgres', 'initdb', 'psql', 'pg_dump'].map((name) => join(bin, name))
    const libraries = runSync('ldd', programs).matchAll(/=> (\/\S+)/g)
    for (const path of new Set([...libraries].map(([, path = '']) => path)))
      if (!/\/(libc|libm|ld-linux.*)\.so/.test(path)) copy(path)
    writeFileSync(join(context, 'entrypoint'), ENTRYPOINT, { mode: 0o755 })
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${base}\nCOPY root /\nCOPY entrypoint /entrypoint\nENV PATH=${bin}:$PATH LANG=C.UTF-8\nENTRYPOINT ["/entrypoint"]\nCMD ["postgres"]\n`,
    )
    await classicBuild(['--tag', IMAGE, context])
    return IMAGE
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}
