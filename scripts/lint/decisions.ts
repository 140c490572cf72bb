// Decisions go by codes: in src, no program looks into the words of an error, an answer or a log line to find out what
// happened.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

/** Names that hold sentences for people. */
const SENTENCES = /^(?:message|stack|stderr|reason|warning|sentence|lastError)$/
const LOOKS = /^(?:includes|startsWith|endsWith|indexOf|lastIndexOf|match|matchAll|search|localeCompare)$/
const WORDS = /[a-z]{2} [a-z]{2}/i
const PATTERNS = /^(?:test|exec)$/

/** The comment above a place where words are all there is: it says whose they are. */
const ALLOWED = /^\s*\/\/ decides by words: \S/

export interface Finding {
  readonly file: string
  readonly line: number
  readonly text: string
}

/**
 * The places of a source text that decide by a sentence: `error.message.includes('…')`, `/…/.test(message)`, `reason
 * === 'two words'`.
 * @param file its name, for the findings; `.tsx` is read as such
 */
export function decisionsBySentence(file: string, source: string): readonly Finding[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const lines = source.split('\n')
  const found: Finding[] = []
  const report = (node: ts.Node): void => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
    const above = lines.slice(Math.max(0, line - 2), line)
    if (!above.some((one) => ALLOWED.test(one)))
      found.push({ file, line: line + 1, text: node.getText(tree).split('\n')[0] ?? '' })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isLook(node)) report(node)
    if (ts.isRegularExpressionLiteral(node) && WORDS.test(node.text)) report(node)
    if (ts.isBinaryExpression(node) && isComparison(node)) report(node)
    if (ts.isSwitchStatement(node) && isSentence(node.expression) && node.caseBlock.clauses.some(hasWords)) report(node)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function isLook({ expression, arguments: given }: ts.CallExpression): boolean {
  if (!ts.isPropertyAccessExpression(expression)) return false
  const { name, expression: of } = expression
  if (LOOKS.test(name.text)) return isSentence(of) || (given[0] !== undefined && isWords(given[0]))
  return PATTERNS.test(name.text) && given[0] !== undefined && isSentence(given[0])
}

const EQUALS: readonly ts.SyntaxKind[] = [
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]

const isComparison = ({ left, right, operatorToken }: ts.BinaryExpression): boolean =>
  EQUALS.includes(operatorToken.kind) && ((isSentence(left) && isWords(right)) || (isSentence(right) && isWords(left)))

/** Two words: a sentence, where a code is one word. */
const isWords = (node: ts.Node): boolean => ts.isStringLiteralLike(node) && WORDS.test(node.text)
const hasWords = (clause: ts.CaseOrDefaultClause): boolean => ts.isCaseClause(clause) && isWords(clause.expression)

/** Also through `(error as Error)`, `error?.message ?? ''`, `message.trim()`, `String(reason)`. */
function isSentence(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return SENTENCES.test(node.text)
  if (ts.isPropertyAccessExpression(node)) return SENTENCES.test(node.name.text)
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node))
    return isSentence(node.expression)
  if (ts.isBinaryExpression(node)) return isSentence(node.left)
  if (ts.isCallExpression(node)) {
    const { expression, arguments: given } = node
    if (ts.isIdentifier(expression) && expression.text === 'String')
      return given[0] !== undefined && isSentence(given[0])
    return ts.isPropertyAccessExpression(expression) && isSentence(expression.expression)
  }
  return false
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = join(import.meta.dirname, '../..')
  const findings = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .flatMap((name) => {
      const file = relative(root, join(root, 'src', name))
      return decisionsBySentence(file, readFileSync(join(root, file), 'utf8'))
    })
  for (const { file, line, text } of findings)
    process.stderr.write(`${file}:${line}: this decides by a sentence: ${text}; compare a code instead\n`)
  if (findings.length > 0) process.exitCode = 1
}
