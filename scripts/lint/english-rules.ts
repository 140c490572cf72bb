// The rules of plain English here, as functions of a text. docs/style.md, "English", says the same for people.
import ts from 'typescript'

export interface Finding {
  readonly line: number
  readonly text: string
  readonly why: string
}

/** Constructions that a reader understands only at the second reading, each with what to write instead. */
const BANNED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/\bnobody\b/gim, 'name the acting part, or say that it does not happen'],
  [/\b(?:told|said)\b/gim, 'write the true verb: logged, reported, answered, notified'],
  [/\bwhoever\b/gim, 'name the reader, user or program'],
  [/\b(?:somebody|anybody)\b/gim, 'name the user or the program'],
  [/\bmeanwhile\b/gim, 'say when'],
  [/\bfor ever\b/gim, 'write indefinitely, permanently or constantly'],
  [/\bmend(?:s|ed|ing)?\b/gim, 'write fix, repair or correct'],
  [/\bcame to be\b|\bwhat [a-z ]{1,20}came to\b/gim, 'write the result or the cause'],
  [
    /(?<!\bthere )\b(?:is|are|was|were) no\b(?!\s+(?:longer|more|less|fewer|later|earlier|better)\b)/gim,
    'write "is not a", or "there is no"',
  ],
  [/(?<!\bthere )\b(?:is|are|was|were) none\b(?!\s+of these)/gim, 'write "is not", with the noun'],
  [
    /(?:(?:^|[.:;] )(?:who|whose)|\b(?:of|to|for|by|over|away|past|back|up|fails) who)\b(?![^.;]*\?)/gim,
    '"who" needs an antecedent before it',
  ],
  [/(?:^|[.] )(?:that|those) of\b/gim, 'begin the sentence with the noun'],
  [/(?:^|[.] )What\b(?=[^.:;?]*[.:;])/gm, 'begin the sentence with a noun'],
]

/** Sentences go on over the ends of lines; list items, rows of tables, headings and empty lines begin anew. */
const unwrapped = (text: string): string => text.replaceAll(/(?<!\n)\n(?! *(?:[-*|#\n]|\d+\. ))/g, ' ')

const lineAt = (text: string, at: number): number => text.slice(0, at).split('\n').length

/** @param line of the first line of the text */
export function bannedIn(text: string, line = 1): readonly Finding[] {
  const joined = unwrapped(text)
  return BANNED.flatMap(([pattern, why]) =>
    [...joined.matchAll(pattern)].map((found) => ({
      line: line + lineAt(text, found.index + found[0].search(/\w/)) - 1,
      text: found[0].trim(),
      why,
    })),
  )
}

const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ')

/**
 * The prose of a Markdown page, with as many lines as the page: without code, targets of links, names of tests, and the
 * parts that are made from the code.
 */
export const proseOf = (page: string): string =>
  page
    .replaceAll(/<!-- made from the code -->[\s\S]*?<!-- made from the code -->/g, blank)
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, blank)
    .replaceAll(/\| `test\/[^`]+`: [^\n]* \|$/gm, blank)
    .replaceAll(/`[^`]*`/g, (code) => code.replaceAll(/[^\n`]/g, '_'))
    .replaceAll(/\]\([^)]*\)/g, (target) => `]${blank(target.slice(1))}`)

/** Sentences of a page's paragraphs that hang together by semicolons alone. Tables are lists, and may use them. */
export function chainedIn(prose: string): readonly Finding[] {
  const found: Finding[] = []
  let line = 1
  for (const paragraph of prose.split(/(\n\s*\n|\n(?= *(?:[-*]|\d+\.) |\||#))/)) {
    if (!/^\s*(?:\||#)/.test(paragraph))
      for (const sentence of paragraph.replaceAll(/\([^)]*\)/g, '').split(/[.:?!](?=\s|$)/))
        if ((sentence.match(/;/g) ?? []).length > 1)
          found.push({ line, text: sentence.trim().slice(0, 60), why: 'one idea a sentence: use full stops' })
    line += paragraph.split('\n').length - 1
  }
  return found
}

const LONG = 'at most 120 characters a line'
const longLine = (content: string, index: number): readonly Finding[] => {
  const line = content.trim()
  if ([...content.trimEnd()].length <= 120 || /https?:\/\//.test(line)) return []
  return [{ line: index + 1, text: `${line.slice(0, 50)}…`, why: LONG }]
}

/** Lines of a page over 120 characters that could be shorter: rows of tables, links and code cannot. */
export const longLinesOf = (page: string): readonly Finding[] =>
  page
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, blank)
    .split('\n')
    .flatMap((line, index) => (line.startsWith('|') || /^\s*\S*\]\(\S*$/.test(line) ? [] : longLine(line, index)))

/** Lines of a source text over 120 characters that could be shorter: messages and other literals are not broken. */
export function longLinesInSource(file: string, source: string): readonly Finding[] {
  const found = source.split('\n').flatMap(longLine)
  if (found.length === 0) return found
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const literal = new Set<number>()
  const visit = (node: ts.Node): void => {
    if (isText(node) || ts.isTemplateExpression(node) || ts.isRegularExpressionLiteral(node)) {
      const lines = [node.getStart(tree), node.end].map((at) => tree.getLineAndCharacterOfPosition(at).line + 1)
      const [first = 0, last = 0] = lines
      // A short word in a long line is not the reason for its length.
      if (first < last || node.end - node.getStart(tree) > 30)
        for (let line = first; line <= last; line += 1) literal.add(line)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found.filter(({ line }) => !literal.has(line))
}

/** A sentence in a string has at least three words with spaces between them; names and classes have fewer. */
const SENTENCE = /[a-z]{2,} [a-z]+ [a-z]{2,}/i

/** Banned constructions in the string literals and the JSX text of a source text. */
export function bannedInTexts(file: string, source: string): readonly Finding[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const found: Finding[] = []
  const visit = (node: ts.Node): void => {
    if ((isText(node) || ts.isJsxText(node)) && SENTENCE.test(node.text))
      found.push(...bannedIn(node.text, tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1))
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** Banned constructions in the comments of a source text, without the code in them. */
export function bannedInComments(file: string, source: string): readonly Finding[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  return commentsOf(tree).flatMap(({ line, text }) => bannedIn(text.replaceAll(/`[^`\n]*`/g, '``'), line))
}

/** Banned constructions in the comments of a shell file, a Dockerfile or a YAML file: whole lines that begin with #. */
export function bannedInHashComments(text: string): readonly Finding[] {
  const comments = [...text.matchAll(/(?:^[ \t]*#(?!!).*(?:\n|$))+/gm)]
  return comments.flatMap(({ index, 0: comment }) =>
    bannedIn(comment.replaceAll(/^[ \t]*# ?/gm, '').replaceAll(/`[^`\n]*`/g, '``'), lineAt(text, index)),
  )
}

interface Comment {
  readonly line: number
  /** Without its marks, with as many lines as in the source. */
  readonly text: string
}

/** The comments of a file. Lines of `//` that follow one another are one comment: their sentences go on. */
function commentsOf(tree: ts.SourceFile): readonly Comment[] {
  const comments: Comment[] = []
  let last = { line: -1, column: -1 }
  for (const { pos, end } of commentRanges(tree)) {
    const { line, character: column } = tree.getLineAndCharacterOfPosition(pos)
    const source = tree.text.slice(pos, end)
    if (source.startsWith('/*')) {
      comments.push({ line: line + 1, text: source.replaceAll(/\*\/$|^ *(?:\/\*\*?|\*(?!\/)) ?/gm, '') })
      continue
    }
    const text = source.replace(/^\/\/ ?/, '')
    const before = comments.at(-1)
    if (before !== undefined && last.line === line - 1 && last.column === column)
      comments[comments.length - 1] = { ...before, text: `${before.text}\n${text}` }
    else comments.push({ line: line + 1, text })
    last = { line, column }
  }
  return comments
}

/** Where the comments of a file are, in their order: a comment stands before or after a token. */
function commentRanges(tree: ts.SourceFile): readonly ts.CommentRange[] {
  const found = new Map<number, ts.CommentRange>()
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) return
    const children = node.getChildren(tree)
    for (const child of children) if (!ts.isJSDoc(child)) visit(child)
    if (children.length > 0) return
    const ranges = [
      ...(ts.getLeadingCommentRanges(tree.text, node.pos) ?? []),
      ...(ts.getTrailingCommentRanges(tree.text, node.end) ?? []),
    ]
    for (const range of ranges) found.set(range.pos, range)
  }
  visit(tree)
  return [...found.values()].sort((a, b) => a.pos - b.pos)
}

/** A title that begins with a relative clause in place of a noun: its reader does not know yet what it is about. */
const BARE_RELATIVE = /^(?:who|whose|whoever|what)\b/i

/**
 * Banned constructions in the titles of tests. A title is read after those of the groups around it:
 * `describe('a file')` and `test('that is missing')` are one sentence.
 */
export function bannedInTitles(file: string, source: string): readonly Finding[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const found: Finding[] = []
  const visit = (node: ts.Node, group: string): void => {
    const title = ts.isCallExpression(node) ? titleOf(node) : undefined
    const full = title === undefined ? group : `${group} ${title}`.trim()
    if (title !== undefined) {
      const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
      const before = group === '' ? 0 : bannedIn(group).length
      found.push(
        ...bannedIn(full)
          .slice(before)
          .map((one) => ({ ...one, line })),
      )
      const bare = BARE_RELATIVE.exec(full)
      if (bare !== null && group === '') found.push({ line, text: bare[0], why: 'begin the title with a noun' })
    }
    ts.forEachChild(node, (child) => visit(child, full))
  }
  visit(tree, '')
  return found
}

/** The title of a call such as `test('…')`, `describe.skipIf(…)('…')` or `test.each(…)('… %s')`. */
function titleOf({ expression, arguments: [title] }: ts.CallExpression): string | undefined {
  let callee: ts.Expression = expression
  while (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) callee = callee.expression
  if (!ts.isIdentifier(callee) || !/^(?:test|describe)$/.test(callee.text) || title === undefined) return undefined
  // `$name` stands for a value of a row.
  if (ts.isStringLiteralLike(title)) return title.text.replaceAll(/\$\w+/g, '')
  if (!ts.isTemplateExpression(title)) return undefined
  return title.head.text + title.templateSpans.map(({ literal }) => literal.text).join('')
}

const isText = (node: ts.Node): node is ts.LiteralLikeNode =>
  ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)

/** Base-form verbs that begin the summaries of commands. Add a new one after reading its summary aloud. */
const VERBS = new Set(
  `Add Answer Archive Assign Block Check Choose Complete Count Create Delete Dispatch Edit Explain Fill Hold Link List Make
  Manage Mark Move Print Record Read Remove Rename Report Restart Revoke Run Send Serve Set Show Start Stop Store Talk
  Unblock Write`.split(/\s+/),
)

/** Summaries of commands (`summary: '…'`) that do not begin with a verb in its base form. */
export function summariesIn(file: string, source: string): readonly Finding[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const found: Finding[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === 'summary') {
      const { initializer } = node
      const line = tree.getLineAndCharacterOfPosition(initializer.getStart(tree)).line + 1
      const text = ts.isTemplateExpression(initializer)
        ? initializer.head.text
        : ts.isStringLiteralLike(initializer)
          ? initializer.text
          : ''
      const first = text.split(/[\s,]/)[0] ?? ''
      if (first !== '' && !VERBS.has(first)) found.push({ line, text, why: 'begin the summary with a verb, "Show …"' })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}
