// `hermes notifier`, and the one message of `hermes notify test`. It lives for days and needs no command parser.
import { type NotifierBundle, runNotifier } from '../../../src/notify/program/notifier-program.ts'
import { send } from '../../../src/notify/send/send.ts'

export const notifierProgram: NotifierBundle['notifierProgram'] = runNotifier
export const sendNow: NotifierBundle['sendNow'] = send
