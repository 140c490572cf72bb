// Stands in for lib/supervisor.cjs: a real process that speaks the protocol and otherwise does what the test says,
// which it reaches through a Unix socket beside itself. To the test: {"start":…} once, then {"line":…} for every line
// from init. From the test: {"send":line}, {"raw":base64}, {"dieOn":type}, {"close":true}, {"deaf":true}. Where there
// is a main program it says by itself what init waits for: hello, the end of the boot, and that every line is written.
const { readSync } = require('node:fs')
const net = require('node:net')
const { join } = require('node:path')

const orders = Buffer.alloc(65536)
const size = readSync(3, orders)
// An init that refuses its settings ends without any: the real one ends silently, too.
if (size === 0) process.exit(0)
const start = JSON.parse(orders.toString('utf8', 0, size))
if (start.dropped) {
  const { uid, gid, groups } = start.identity
  process.setgroups(groups)
  process.setgid(gid)
  process.setuid(uid)
}
const init = new net.Socket({ fd: start.protocolFd, readable: true, writable: true })
const test = net.connect(join(__dirname, 'fake.sock'))
const dieOn = new Set()
const die = () => process.kill(process.pid, 'SIGKILL')
const hasMain = start.main.length > 0
let saidHello = false
/** Then there are events to come, and the test says when it has seen them. */
let hasSlots = false
const toInit = (message, written) => {
  if (message.type === 'hello' && hasMain && saidHello) return
  saidHello ||= message.type === 'hello'
  hasSlots ||= message.type === 'spawn'
  init.write(`${JSON.stringify(message)}\n`, written)
}
const toTest = (message) => test.write(`${JSON.stringify(message)}\n`)

const lines = (socket, take) => {
  let rest = ''
  socket.setEncoding('utf8').on('data', (text) => {
    const all = (rest + text).split('\n')
    rest = all.pop()
    for (const line of all) take(line)
  })
}

lines(init, (line) => {
  const message = JSON.parse(line)
  if (dieOn.has(message.type)) die()
  hasSlots ||= message.type === 'welcome' && message.children.length > 0
  if (message.type === 'ping') toInit({ type: 'pong', n: message.n })
  else toTest({ line: message })
  if (hasMain && (message.type === 'begin' || message.begun)) toInit({ type: 'booted' })
  if (hasMain && !hasSlots && message.type === 'stop') toInit({ type: 'drained' })
})
lines(test, (line) => {
  const { send, raw, dieOn: type, close, deaf } = JSON.parse(line)
  if (send !== undefined) {
    // `sent:spawn`: it is in the socket, behind a pong that may have been on its way, and nobody has answered.
    toInit(send, dieOn.has(`sent:${send.type}`) ? die : undefined)
  }
  if (raw !== undefined) init.write(Buffer.from(raw, 'base64'))
  if (type !== undefined) dieOn.add(type)
  if (close) init.destroy()
  if (deaf) init.pause()
})
init.on('close', () => test.end())
init.on('error', () => test.end())
test.on('close', () => process.exit(0))
test.on('error', () => process.exit(1))
toTest({ start, pid: process.pid, env: process.env, uid: process.getuid(), groups: process.getgroups() })
if (hasMain) toInit({ type: 'hello', v: 1 })
