// Takes the place of lib/supervisor.cjs in an install tree of a test: the real supervisor (supervisor-real.cjs beside
// it), which kills itself with SIGKILL at the message that $HERMES_HOME/fault names: {"direction", "type", "when"}, and
// "holding" for a text that the message has to contain. The fault happens once.
const fs = require('node:fs')
const net = require('node:net')
const { join } = require('node:path')

const PROTOCOL_FD = 3
let file

// Its orders name its home.
const { readSync } = fs
fs.readSync = (fd, buffer, ...rest) => {
  const bytes = readSync(fd, buffer, ...rest)
  if (fd === PROTOCOL_FD && bytes > 0) file = join(JSON.parse(buffer.toString('utf8', 0, bytes)).home, 'fault')
  return bytes
}

/** Is it this message's turn? Then the fault is used up. */
const isDue = (direction, when, text) => {
  let fault
  try {
    fault = JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch {
    return false
  }
  const { type, holding = '' } = fault
  const isNamed = (line) => line !== '' && JSON.parse(line).type === type && line.includes(holding)
  if (fault.direction !== direction || fault.when !== when || !text.split('\n').some(isNamed)) return false
  fs.rmSync(file)
  return true
}
const die = () => process.kill(process.pid, 'SIGKILL')

const { write, emit } = net.Socket.prototype
net.Socket.prototype.write = function (chunk, ...rest) {
  if (this._handle?.fd !== PROTOCOL_FD) return write.call(this, chunk, ...rest)
  if (isDue('out', 'before', String(chunk))) die()
  const result = write.call(this, chunk, ...rest)
  if (isDue('out', 'after', String(chunk))) die()
  return result
}
net.Socket.prototype.emit = function (event, ...rest) {
  if (event !== 'data' || this._handle?.fd !== PROTOCOL_FD) return emit.call(this, event, ...rest)
  const text = String(rest[0])
  if (isDue('in', 'before', text)) die()
  const result = emit.call(this, event, ...rest)
  if (isDue('in', 'after', text)) die()
  return result
}

require('./supervisor-real.cjs')
