// A registry of npm with one package: what a package of ours asks for when it is installed.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

export interface Published {
  readonly name: string
  readonly version: string
  readonly os: readonly string[]
  readonly cpu: readonly string[]
  /** Path in the package → text of an executable file. */
  readonly programs: Readonly<Record<string, string>>
}

export interface Registry extends AsyncDisposable {
  readonly url: string
}

/** Serves the packages at an address of this machine until it is disposed of. */
export async function serveRegistry(packages: readonly Published[]): Promise<Registry> {
  const archives = new Map<string, Buffer>(
    await Promise.all(packages.map(async (one) => [`/${one.name}.tgz`, await archiveOf(one)] as const)),
  )
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const archive = archives.get(path)
    const found = packages.find(({ name }) => path === `/${name}`)
    if (archive !== undefined) response.end(archive)
    else if (found === undefined) response.writeHead(path.startsWith('/-/') ? 200 : 404).end('{}')
    else response.end(JSON.stringify(documentOf(found, archives.get(`/${found.name}.tgz`) ?? Buffer.alloc(0), url())))
  })
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: url(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const manifestOf = ({ name, version, os, cpu }: Published) => ({ name, version, os, cpu })

function documentOf(one: Published, archive: Buffer, url: string): object {
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`
  const dist = { tarball: `${url}/${one.name}.tgz`, integrity }
  return {
    name: one.name,
    'dist-tags': { latest: one.version },
    versions: { [one.version]: { ...manifestOf(one), dist } },
  }
}

async function archiveOf(one: Published): Promise<Buffer> {
  const archive = pack()
  archive.entry({ name: 'package/package.json' }, JSON.stringify(manifestOf(one)))
  for (const [path, text] of Object.entries(one.programs)) archive.entry({ name: `package/${path}`, mode: 0o755 }, text)
  archive.finalize()
  return gzipSync(await buffer(archive))
}
