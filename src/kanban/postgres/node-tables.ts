/** The tables of nodes, which all boards of a database share, and the trigger by which a board knows their leases. */
import type { Client } from './connection.ts'

/** Additive: a version that does not know them leaves them alone. */
const TABLES = `CREATE SCHEMA IF NOT EXISTS hermes;
CREATE TABLE IF NOT EXISTS hermes.nodes (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  instance text NOT NULL,
  volume text NOT NULL,
  host text NOT NULL,
  epoch bigint NOT NULL,
  lease_ms integer NOT NULL,
  taken_at bigint NOT NULL,
  lease_until bigint NOT NULL,
  heard_at bigint NOT NULL,
  labels jsonb NOT NULL DEFAULT '{}',
  version text NOT NULL,
  api_url text,
  rival text,
  rival_at bigint
);
CREATE TABLE IF NOT EXISTS hermes.profiles (
  name text COLLATE "C" PRIMARY KEY,
  node text COLLATE "C" NOT NULL REFERENCES hermes.nodes (id),
  epoch bigint NOT NULL DEFAULT 1,
  moving boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS profiles_node ON hermes.profiles (node);
CREATE TABLE IF NOT EXISTS hermes.lives (
  instance text COLLATE "C" PRIMARY KEY,
  node text COLLATE "C" NOT NULL REFERENCES hermes.nodes (id)
)`

/** Keeps out others that make tables, functions or boards; IF NOT EXISTS alone does not keep two processes apart. */
export const lockBoards = (client: Client): Promise<unknown> =>
  client.query("SELECT pg_advisory_xact_lock(hashtextextended('hermes.boards', 0))")

/** Keeps out others that decide about a lease. After {@link lockBoards}, if a transaction takes both. */
export const lockNodes = (client: Client): Promise<unknown> =>
  client.query("SELECT pg_advisory_xact_lock(hashtextextended('hermes.nodes', 0))")

/** Makes them, unless they are there, and the schema that holds the list of boards, too. */
export async function addNodeTables(client: Client): Promise<void> {
  await lockBoards(client)
  await client.query(TABLES)
}

/**
 * Refuses a claim by a container whose node has no lease, or for a profile of another node, whatever statement makes it
 * and whatever version of Hermes: a claim is a new run that has not ended. Where no node lives, as in a test or a copy,
 * nothing is refused.
 * @param s the board's schema, quoted
 */
export const fence = (s: string): string => `
CREATE OR REPLACE FUNCTION ${s}.runs_fenced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  now_ms bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  taken text;
BEGIN
  IF current_setting('hermes.copying', true) = 'on' OR NOT EXISTS (SELECT 1 FROM hermes.nodes WHERE lease_until > now_ms)
  THEN RETURN NULL; END IF;
  IF EXISTS (SELECT 1 FROM added r WHERE r.ended_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM hermes.nodes n WHERE n.instance = r.instance AND n.lease_until > now_ms))
  THEN RAISE EXCEPTION 'the lease of this node is not in force' USING ERRCODE = 'HM002'; END IF;
  SELECT r.profile INTO taken FROM added r JOIN hermes.profiles p ON p.name = r.profile
  WHERE r.ended_at IS NULL AND (p.moving OR NOT EXISTS (SELECT 1 FROM hermes.nodes n WHERE n.id = p.node AND n.instance = r.instance));
  IF FOUND THEN RAISE EXCEPTION 'the profile "%" belongs to another node', taken USING ERRCODE = 'HM002'; END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS runs_fenced ON ${s}.runs;
CREATE TRIGGER runs_fenced AFTER INSERT ON ${s}.runs REFERENCING NEW TABLE AS added FOR EACH STATEMENT
  EXECUTE FUNCTION ${s}.runs_fenced();
`
