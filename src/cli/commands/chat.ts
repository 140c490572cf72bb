import { isAborted, type Message } from '../../gateway/agent/agent.ts'
import { conversation } from '../../gateway/sessions/conversation.ts'
import { newSessionId, openSessions, parseSessionId, type SessionStore } from '../../gateway/sessions/store.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { warningLine } from '../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { ownProfile, warnOn } from '../context/context.ts'
import { type ProfileAgent, profileAgent } from '../context/profile-agent.ts'
import type { Outcome } from '../terminal/output.ts'
import { QuestionLine } from '../terminal/question-line.ts'
import { readText } from '../terminal/terminal.ts'
import { table } from '../view/slots-view.ts'

const MAX_QUESTION_BYTES = 4 * 1024 * 1024
const LISTED_SESSIONS = 50

export const CHAT_COMMANDS: readonly Command[] = [
  {
    path: 'chat',
    summary: "Talk to the profile's agent",
    options: [
      { long: '--query', short: '-q', value: 'TEXT', help: 'ask one question and print the answer on standard output' },
      { long: '--session', value: 'ID', help: 'continue the session ID, or start it if it does not exist' },
      { long: '--sessions', help: 'list the sessions, most recent first' },
    ],
    details:
      'On a terminal, start a conversation and keep it as a session. Ctrl-C stops an answer and Ctrl-D leaves.\n' +
      'A pasted block is one question; Enter sends it. Without a terminal, standard input is the question. A\n' +
      'single question is kept only with --session.',
    exits: {
      [EXIT.noSuch]: 'no such profile',
      [EXIT.timedOut]: 'the agent did not respond in time',
      [EXIT.restartMe]: 'the endpoint asked to retry later (429)',
    },
    run: chat,
  },
]

async function chat(context: Context, input: Input): Promise<Outcome> {
  if (input.options.sessions === true) return listSessions(context)
  const wished = textOption(input, 'session')
  const session = wished === undefined ? undefined : parseSessionId(wished)
  const question = textOption(input, 'query') ?? (await pipedQuestion(context.profile().name))
  const facts = await profileAgent(context)
  if (question === undefined) return converse(context, facts, session ?? newSessionId())
  return askOnce(context, facts, question, session)
}

/** @returns the question; undefined on a terminal */
async function pipedQuestion(profile: string): Promise<string | undefined> {
  if (process.stdin.isTTY && process.stdout.isTTY) return undefined
  if (!process.stdin.isTTY) {
    const text = await readText(process.stdin, 'standard input', MAX_QUESTION_BYTES)
    if (text.trim() !== '') return text
  }
  throw new HermesError('USAGE', 'standard input is not a terminal, and it holds no question', {
    next: `use docker exec -it, or ask one question: hermes -p ${profile} chat -q "…"`,
  })
}

/** Opens the sessions for `use`, and closes them afterwards in any case. */
async function withSessions<T>(
  context: Context,
  dir: string,
  use: (store: SessionStore) => Promise<T> | T,
): Promise<T> {
  const store = openSessions(dir, context.clock, warnOn(context))
  try {
    return await use(store)
  } finally {
    store.close()
  }
}

async function askOnce(
  context: Context,
  facts: ProfileAgent,
  question: string,
  session: string | undefined,
): Promise<Outcome> {
  const giveUp = new AbortController()
  let signal: NodeJS.Signals | undefined
  const stop = (by: NodeJS.Signals): void => {
    signal = by
    giveUp.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop)
  const ask = async (store: SessionStore | undefined): Promise<Outcome> => {
    const history = session === undefined ? [] : (store?.history(session) ?? [])
    const messages = conversation(history, [user(question)])
    const { text: answer, cut } = await print(context, facts, messages, giveUp.signal, session, context.json)
    if (!context.json) context.output.out('\n')
    if (cut !== undefined) context.output.err(warningLine(cut))
    if (session !== undefined) await store?.append(session, [user(question), assistant(answer)])
    return {
      json: { ...(session === undefined ? {} : { session }), answer, ...(cut === undefined ? {} : { warning: cut }) },
    }
  }
  try {
    return session === undefined ? await ask(undefined) : await withSessions(context, facts.dir, ask)
  } catch (error) {
    if (signal === undefined) throw error
    return { exitCode: signal === 'SIGINT' ? 130 : 143 }
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop)
  }
}

interface Answer {
  readonly text: string
  /** Reason why the text is incomplete. */
  readonly cut: string | undefined
}

/** Writes the answer as it arrives unless `quiet`, and returns the whole answer. */
async function print(
  { output }: Context,
  { agent }: ProfileAgent,
  messages: readonly Message[],
  signal: AbortSignal,
  session: string | undefined,
  quiet: boolean,
): Promise<Answer> {
  const clean = process.stdout.isTTY ? withoutControls : (text: string) => text
  let text = ''
  let cut: string | undefined
  const onCut = (why: string): void => {
    cut = why
  }
  for await (const piece of agent.answer({ messages, signal, onCut, ...(session === undefined ? {} : { session }) })) {
    text += piece
    if (!quiet) output.out(clean(piece))
  }
  return { text, cut }
}

/** A model's text must not move the cursor, set the title or write to the clipboard of the user's terminal. */
// biome-ignore lint/complexity/useRegexLiterals: control characters are easier to read escaped
const CONTROLS = new RegExp('[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]', 'g')
const withoutControls = (text: string): string => text.replace(CONTROLS, '')

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })

/** Runs a conversation on the terminal. */
function converse(context: Context, facts: ProfileAgent, session: string): Promise<Outcome> {
  const { output, clock } = context
  return withSessions(context, facts.dir, async (store) => {
    let giveUp: AbortController | undefined
    output.err(`Profile ${facts.profile}, session ${session}. Ctrl-C stops an answer; Ctrl-D leaves.\n`)
    const line = new QuestionLine({
      input: process.stdin,
      output: process.stdout,
      clock,
      term: process.env.TERM,
      onInterrupt: () => (giveUp === undefined ? line.close() : giveUp.abort()),
    })
    try {
      for (let question = await line.next(); question !== undefined; question = await line.next()) {
        if (question === '') continue
        giveUp = new AbortController()
        try {
          if (Buffer.byteLength(question) > MAX_QUESTION_BYTES) throw questionTooLong()
          const asked = user(question)
          const messages = conversation(store.history(session), [asked])
          const { text, cut } = await print(context, facts, messages, giveUp.signal, session, false)
          await store.append(session, [asked, assistant(text)])
          output.out('\n')
          if (cut !== undefined) output.err(warningLine(cut))
          output.out('\n')
        } catch (error) {
          if (!(error instanceof HermesError)) throw error
          // The conversation continues without the failed exchange.
          if (isAborted(giveUp.signal)) output.err(stopped(line.dropWaiting()))
          else output.err(`\nhermes: ${error.message}\n${error.next === undefined ? '' : `  next: ${error.next}\n`}\n`)
        } finally {
          giveUp = undefined
        }
      }
    } finally {
      line.close()
    }
    output.err(`\nTo continue: hermes -p ${facts.profile} chat --session ${session}\n`)
    return {}
  })
}

const stopped = (dropped: number): string =>
  `\n(stopped; answer not saved${dropped === 0 ? '' : `; ${dropped} more questions dropped`})\n\n`

const questionTooLong = (): HermesError =>
  new HermesError('USAGE', `the question is longer than ${MAX_QUESTION_BYTES} bytes`, { next: 'shorten it' })

function listSessions(context: Context): Promise<Outcome> {
  return withSessions(context, ownProfile(context).dir, (store) => {
    const sessions = store.list(LISTED_SESSIONS)
    const rows = sessions.map(({ id, messages, updatedAt }) => [id, `${messages} messages`, updatedAt])
    return {
      text: sessions.length === 0 ? 'no sessions yet\n' : table(rows),
      json: sessions,
    }
  })
}
