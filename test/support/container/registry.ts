// A registry with one image, which it has by its digest only (https://distribution.github.io/distribution/spec/api/).
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

export interface Registry extends AsyncDisposable {
  /** Name of the image, without tag and digest. */
  readonly image: string
  /** `sha256:…` */
  readonly digest: string
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const V2 = 'application/vnd.docker.distribution.manifest.v2+json'

/** Listens on 127.0.0.1, where engines ask without TLS. */
export async function startRegistry(): Promise<Registry> {
  // An archive without files: two empty blocks.
  const layer = Buffer.alloc(1024)
  const blobs = new Map<string, Buffer>()
  const blob = (mediaType: string, bytes: Buffer): object => {
    const digest = digestOf(bytes)
    blobs.set(digest, bytes)
    return { mediaType, size: bytes.length, digest }
  }
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  }
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: V2,
      config: blob('application/vnd.docker.container.image.v1+json', Buffer.from(JSON.stringify(config))),
      layers: [blob('application/vnd.docker.image.rootfs.diff.tar.gzip', gzipSync(layer))],
    }),
  )
  const digest = digestOf(manifest)
  const server = createServer(({ url = '', method }, response) => {
    const found = url === `/v2/base/manifests/${digest}` ? manifest : blobs.get(url.replace('/v2/base/blobs/', ''))
    if (url !== '/v2/' && found === undefined) return response.writeHead(404).end()
    response.writeHead(200, {
      'Content-Type': found === manifest ? V2 : 'application/octet-stream',
      'Content-Length': found?.length ?? 0,
      ...(found === manifest && { 'Docker-Content-Digest': digest }),
    })
    response.end(method === 'HEAD' ? undefined : found)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    image: `127.0.0.1:${(server.address() as AddressInfo).port}/base`,
    digest,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
