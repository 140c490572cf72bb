/** xterm on the dashboard's WebSocket. */
import '@xterm/xterm/css/xterm.css'
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import type { TerminalMessage, TerminalSize } from '../../contract/terminal.ts'
import { piecesOf } from '../core/pieces.ts'
import type { Client } from './client.ts'
import { documentWithoutInlineStyles } from './inline-styles.ts'

const CLOSE_NORMAL = 1000
/** A paste may be of any length; the server takes messages of up to 1,048,576 characters. */
const MAX_PIECE_CHARS = 65_536

/** @param onEnd the program has ended, or the connection was lost */
export function openTerminal(
  box: HTMLElement,
  client: Client,
  signal: AbortSignal,
  onEnd: (why: string) => void,
): void {
  const { backgroundColor, color } = getComputedStyle(box)
  const terminal = new Terminal({
    cursorBlink: true,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
    fontSize: 13,
    theme: { background: backgroundColor, foreground: color, cursor: color },
    documentOverride: documentWithoutInlineStyles(document, signal),
  })
  const fit = new FitAddon()
  terminal.loadAddon(fit)
  terminal.open(box)
  fit.fit()
  terminal.focus()
  const size = (): TerminalSize => ({ cols: terminal.cols, rows: terminal.rows })

  const token = client.token()
  const socket = new WebSocket(client.socketUrl('/api/terminal'), [
    'hermes',
    ...(token ? [`hermes.token.${token}`] : []),
  ])
  socket.binaryType = 'arraybuffer'
  const send = (message: TerminalMessage | TerminalSize): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }
  socket.addEventListener('open', () => {
    send(size())
    for (const message of early.splice(0)) send(message)
  })
  socket.addEventListener('message', ({ data }) => {
    terminal.write(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer))
  })
  socket.addEventListener('close', ({ code, reason }) => {
    if (!signal.aborted)
      onEnd(code === CLOSE_NORMAL ? reason || 'the program has ended' : reason || 'the connection ended')
  })
  /** Typed before the connection is there. */
  const early: TerminalMessage[] = []
  terminal.onData((data) => {
    for (const piece of piecesOf(data, MAX_PIECE_CHARS)) {
      const message: TerminalMessage = { type: 'input', data: piece }
      if (socket.readyState === WebSocket.CONNECTING) early.push(message)
      else send(message)
    }
  })
  terminal.onResize(() => send({ type: 'resize', ...size() }))
  const observer = new ResizeObserver(() => fit.fit())
  observer.observe(box)
  signal.addEventListener('abort', () => {
    observer.disconnect()
    socket.close(CLOSE_NORMAL)
    terminal.dispose()
  })
}
